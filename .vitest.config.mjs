import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Containers, cgroups and mounts are the machine's: two workers are enough for two cores.
    pool: 'forks',
    maxWorkers: 2,
  },
})
