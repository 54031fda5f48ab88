export type { RegistryOptions } from './registry/options.ts'
