import { defineConfig } from 'vitest/config'

/** For the machines of `npm run test:vm`, which emulate a processor: everything takes ten times as long. */
export default defineConfig({
  test: {
    include: ['test/vm/**/*.test.ts', 'test/integration/**/*.test.ts', 'test/e2e/engines-*.test.ts'],
    testTimeout: 900_000,
    hookTimeout: 240_000,
    // One thread for all files: vitest waits a minute for a worker to start, which is not enough there for a process.
    pool: 'threads',
    isolate: false,
    maxWorkers: 1,
    fileParallelism: false,
  },
})
