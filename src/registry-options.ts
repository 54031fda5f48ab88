export type { RegistryOptions } from './registry/access.ts'
