import { ensureInstalled, runPinned } from './install.mjs'

ensureInstalled({ dev: true })
await runPinned('tools/test.ts', process.argv.slice(2))
