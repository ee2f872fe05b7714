import { ensureInstalled, runPinned } from './install.mjs'

ensureInstalled({ dev: false })
await runPinned('apps/cli/src/main.ts', process.argv.slice(2))
