import { ensureInstalled, runPinned } from './install.mjs'

ensureInstalled({ dev: false })
await runPinned('apps/server/src/main.ts', ['up', ...process.argv.slice(2)])
