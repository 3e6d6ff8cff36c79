// End-to-end tests: real Chromium and Firefox against the release server. Started by `cargo xtask test e2e`,
// which puts server, browsers and this driver into a network namespace that has only loopback.
import { defineConfig } from '@playwright/test'

const out = process.env.E2E_OUT ?? 'test-results'

export default defineConfig({
  testDir: 'tests/e2e',
  outputDir: `${out}/results`,
  workers: 1, // two cores: browsers of one test at a time
  retries: 0,
  timeout: 90_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  forbidOnly: true
})
