export { runtimeSpecVersion } from './bundle/default-config.ts'
export { toolVersion } from './runtime/tool-version.ts'
