import { stringify } from 'smol-toml'
import { OciError } from '../errors.ts'
import { type Engine, type EngineRuntime, runtimeName } from './engine.ts'
import { isSame, isTable, parseTable, type TomlTable, tableAt, tomlString, withValue } from './toml.ts'

/** The plugin that has the runtimes of Kubernetes, by the version of the file. */
const plugins: Readonly<Record<number, string>> = { 2: 'io.containerd.grpc.v1.cri', 3: 'io.containerd.cri.v1.runtime' }

/** All that a file has that this tool has made: containerd 1 and 2 know it. */
const newFile = 'version = 2\n'

const begin = '# begin of the entry of "bundle-tool engine", which also removes it'
const end = '# end of the entry of "bundle-tool engine"'
const defaultKey = 'default_runtime_name'
/** The end of a line that sets the default runtime, with the value that it had. */
const ownLine = ' # by "bundle-tool engine"'
const wasMark = ', in place of '

/**
 * containerd's own file has the entry, between two lines: a file of its "imports" would replace all of a plugin's settings
 * (measured with 1.6), and with them those of the network.
 *
 * The entry has the settings of the runtime runc, such as SystemdCgroup. The default is a line in a table that may be there.
 * @see containerd docs/cri/config.md
 */
export const containerd: Engine = {
  file: () => '/etc/containerd/config.toml',
  snippet: (runtime, text) => entry(runtime, read(withoutEntry(text)), true),
  add(runtime, text) {
    const before = withoutEntry(text)
    const file = read(before)
    checkFree(file)
    const base = before.trim() === '' ? newFile : before
    const named = runtime.isDefault ? withDefault(base, file) : undefined
    const block = entry(runtime, file, runtime.isDefault && named === undefined)
    const after = `${ended(named ?? base)}\n${begin}\n${block}${end}\n`
    checkResult(after, withRuntime(runtime, file))
    return after
  },
  remove(text) {
    const after = withoutEntry(text)
    return after.trim() === '' || after === newFile ? undefined : after
  },
  restart: { write: 'systemctl restart containerd', remove: 'systemctl restart containerd' },
}

interface File {
  readonly table: TomlTable
  /** The path of the plugin's table of containerd. */
  readonly path: readonly string[]
}

function read(text: string): File {
  const given = parseTable(text, 'config.toml')
  const table = Object.keys(given).length === 0 ? parseTable(newFile, 'config.toml') : given
  const plugin = plugins[Number(table.version ?? 1)]
  if (plugin === undefined) {
    throw new OciError('ERR_ENGINE_CONFIG', `config.toml has version ${table.version ?? 1}, which is not known here`, {
      hint: 'bring it to version 2 or 3 with "containerd config migrate"',
    })
  }
  return { table, path: ['plugins', plugin, 'containerd'] }
}

function checkFree({ table, path }: File): void {
  if (tableAt(table, [...path, 'runtimes', runtimeName]) === undefined) return
  throw new OciError('ERR_ENGINE_CONFIG', `config.toml has a runtime "${runtimeName}" that this tool has not written`, {
    hint: 'remove it first',
  })
}

/** The settings of runc, with another binary. */
function runtimeOf({ path: binary }: EngineRuntime, { table, path }: File): TomlTable {
  const runc = tableAt(table, [...path, 'runtimes', 'runc']) ?? {}
  const options = isTable(runc.options) ? runc.options : {}
  return { ...runc, runtime_type: 'io.containerd.runc.v2', options: { ...options, BinaryName: binary } }
}

/**
 * The runtimes that are added. A file without any has runc by default, and loses it with the first one that is written there
 * (measured with 1.6): it gets runc, too.
 */
function added(runtime: EngineRuntime, file: File): TomlTable {
  const own = { [runtimeName]: runtimeOf(runtime, file) }
  const hasOthers = tableAt(file.table, [...file.path, 'runtimes']) !== undefined
  return hasOthers ? own : { runc: { runtime_type: 'io.containerd.runc.v2' }, ...own }
}

function withRuntime(runtime: EngineRuntime, file: File): TomlTable {
  const { table, path } = file
  const runtimes = { ...tableAt(table, [...path, 'runtimes']), ...added(runtime, file) }
  const changed = withValue(table, [...path, 'runtimes'], runtimes)
  return runtime.isDefault ? withValue(changed, [...path, defaultKey], runtimeName) : changed
}

function entry(runtime: EngineRuntime, file: File, hasDefault: boolean): string {
  const { path } = file
  const only = withValue({}, [...path, 'runtimes'], added(runtime, file))
  const all = runtime.isDefault && hasDefault ? withValue(only, [...path, defaultKey], runtimeName) : only
  return `${stringify(all).trim()}\n`
}

/** The text with the default in the table that is there; undefined where there is no line that begins it. */
function withDefault(text: string, { path }: File): string | undefined {
  const lines = text.split('\n')
  const header = lines.findIndex((line) => isHeader(line, path))
  if (header < 0) return undefined
  const rest = lines.slice(header + 1)
  const next = rest.findIndex((line) => /^\s*\[/.test(line))
  const body = next < 0 ? rest : rest.slice(0, next)
  const at = body.findIndex((line) => /^\s*default_runtime_name\s*=/.test(line))
  const indentation = /^\s*/.exec((at < 0 ? lines[header] : body[at]) ?? '')?.[0] ?? ''
  const line = `${indentation}${at < 0 ? '  ' : ''}${defaultKey} = ${tomlString(runtimeName)}${ownLine}`
  if (at < 0) return lines.toSpliced(header + 1, 0, line).join('\n')
  return lines.toSpliced(header + 1 + at, 1, `${line}${wasMark}${body[at]}`).join('\n')
}

function isHeader(line: string, path: readonly string[]): boolean {
  if (!/^\s*\[[^[]/.test(line)) return false
  try {
    return isSame(parseTable(line, 'a line'), withValue({}, path, {}))
  } catch (error) {
    if (error instanceof OciError) return false
    throw error
  }
}

/** The text as it was before `add`. */
function withoutEntry(text: string): string {
  const from = text.indexOf(`${begin}\n`)
  const to = text.indexOf(`${end}\n`)
  const outside =
    from < 0 || to < from ? text : text.slice(0, from).replace(/\n$/, '') + text.slice(to + end.length + 1)
  return outside
    .split('\n')
    .flatMap((line) => {
      const mark = line.indexOf(ownLine)
      if (mark < 0) return [line]
      const rest = line.slice(mark + ownLine.length)
      return rest.startsWith(wasMark) ? [rest.slice(wasMark.length)] : []
    })
    .join('\n')
}

const ended = (text: string): string => (text.endsWith('\n') ? text : `${text}\n`)

/** Checks that the text means what it should, however the file was written. @throws OciError `ERR_ENGINE_CONFIG` */
function checkResult(text: string, expected: TomlTable): void {
  if (isSame(parseTable(text, 'config.toml with the entry'), expected)) return
  throw new OciError('ERR_ENGINE_CONFIG', 'the entry would change more of config.toml than it should', {
    hint: 'write what "bundle-tool engine containerd" prints into the file yourself',
  })
}
