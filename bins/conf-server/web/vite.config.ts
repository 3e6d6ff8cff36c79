/** Builds the client: one small page for joining, one chunk for the meeting, everything from our own origin. */
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const server = process.env.CONF_SERVER ?? 'http://127.0.0.1:8080';

/** The letters of most names come with the page: words that change their font later would move what is below. */
const fontFirst: Plugin = {
  name: 'font-first',
  transformIndexHtml: {
    order: 'post',
    handler: (_, { bundle }) => {
      const font = Object.keys(bundle ?? {}).find((file) => /inter-latin-wght-normal.*\.woff2$/.test(file));
      if (!font) return [];
      return [{ tag: 'link', attrs: { rel: 'preload', as: 'font', type: 'font/woff2', href: `/${font}`, crossorigin: '' }, injectTo: 'head' }];
    },
  },
};

export default defineConfig({
  plugins: [svelte(), fontFirst],
  resolve: process.env.VITEST ? { conditions: ['browser'] } : undefined,
  build: {
    // light-dark() must reach the browser untouched: the dark stage inside a light page depends on it.
    target: ['chrome123', 'firefox120', 'safari17.5'],
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    assetsInlineLimit: 0, // no data: addresses, so that `default-src 'self'` holds
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 800,
  },
  server: {
    proxy: {
      '/api': { target: server, ws: true },
      '/rtc': { target: server, ws: true },
      '/privacy': { target: server },
    },
  },
  test: { environment: 'happy-dom', include: ['tests/**/*.test.ts'] },
});
