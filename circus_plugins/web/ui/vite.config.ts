/// <reference types="vitest/config" />
import { defineConfig } from "vite";

// Relative addresses, so that the console works below any path of a proxy's. Nothing is inlined: the
// Content-Security-Policy allows scripts and styles of our own server only.
export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, sourcemap: false, license: { fileName: "licenses.md" } },
  server: { proxy: { "/socket.io": { target: "http://localhost:8080", ws: true }, "/api": "http://localhost:8080" } },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
});
