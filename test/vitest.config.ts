import { configDefaults, defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/state-root.ts',
    // Needs a cgroup v2 host: `npm run test:vm`.
    exclude: [...configDefaults.exclude, 'test/vm/**'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Containers, cgroups and mounts are the machine's: two workers are enough for two cores.
    pool: 'forks',
    maxWorkers: 2,
  },
})
