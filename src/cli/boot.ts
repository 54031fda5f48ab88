import { loadCached } from './cached-script.ts'

/** Starts the command line that `npm run build` has bundled beside this file. */
const { runProcess } = loadCached<typeof import('./process.ts')>(__dirname, 'cli', require)
void runProcess()
