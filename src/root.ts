export { absoluteRoot, defaultRoot } from './runtime/root.ts'
