export { runtimeSpecVersion } from './bundle/default-config.ts'
