// What axe finds on a page as it is now, and a picture of it for the eye.
import { AxeBuilder } from '@axe-core/playwright'
import { expect } from '@playwright/test'
import type { Person } from './person'

export async function isClean(person: Person, what: string): Promise<void> {
  // The modern mode opens a blank page for the sake of frames of other origins, which we have none of.
  const result = await new AxeBuilder({ page: person.page }).setLegacyMode().analyze()
  const violations = result.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`)
  expect.soft(violations, what).toEqual([])
}

/** Pictures at these sizes, named `name-width.png`: only for who asks with E2E_PICTURES=1, no test looks at them. */
export async function pictures(person: Person, name: string, sizes: { width: number; height: number }[]): Promise<void> {
  if (!process.env.E2E_PICTURES) return
  for (const size of sizes) {
    await person.page.setViewportSize(size)
    await person.page.screenshot({ path: `${process.env.E2E_OUT ?? 'test-results'}/pictures/${name}-${size.width}.png` })
  }
}
