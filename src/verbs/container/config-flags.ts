/** The flags that change config.json, for the command line. */
export { configFlags, type NamedFlag } from '../../bundle/changes/table.ts'
