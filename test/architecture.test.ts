import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { importsOfTypes, importsOfValues, modules } from './imports.ts'

/** The imports that each area of src/ may have: areas of ours, then npm packages. CONTRIBUTING.md explains the table. */
const allowed: Record<string, readonly string[]> = {
  errors: [],
  memory: [],
  text: [],
  'make-directories': ['errors'],
  writable: ['errors'],
  'caller-rights': ['program'],
  'node-version': [],
  'temporary-root': ['program', 'errors'],
  'state-root': ['oci', 'make-directories', 'temporary-root', 'text', 'errors'],
  oci: ['text', 'errors', 'zod'],
  program: ['text', 'errors'],
  compile: ['oci', 'program', 'errors'],
  store: ['oci', 'make-directories', 'writable', 'memory', 'errors'],
  registry: ['oci', 'make-directories', 'errors', 'undici', 'smol-toml'],
  layer: ['oci', 'program', 'memory', 'errors', 'tar-stream', 'fzstd'],
  source: [
    'oci',
    'program',
    'make-directories',
    'writable',
    'registry',
    'store',
    'layer',
    'errors',
    'p-limit',
    'tar-stream',
    'undici',
  ],
  bundle: ['oci', 'program', 'store', 'layer', 'caller-rights', 'text', 'errors'],
  dbus: ['errors'],
  engine: ['errors', 'smol-toml'],
  interpreter: ['program'],
  host: ['oci', 'compile', 'program', 'text', 'errors'],
  runtime: [
    'oci',
    'make-directories',
    'state-root',
    'compile',
    'program',
    'host',
    'dbus',
    'caller-rights',
    'text',
    'errors',
  ],
  verbs: [
    'oci',
    'program',
    'compile',
    'store',
    'registry',
    'layer',
    'source',
    'bundle',
    'host',
    'runtime',
    'engine',
    'make-directories',
    'writable',
    'state-root',
    'caller-rights',
    'memory',
    'text',
    'errors',
    'p-limit',
  ],
  cli: [
    'verbs',
    'bundle',
    'oci',
    'program',
    'caller-rights',
    'state-root',
    'node-version',
    'text',
    'errors',
    'commander',
  ],
  library: ['node-version', 'verbs', 'registry', 'bundle', 'layer', 'state-root', 'errors'],
}

const pure = ['oci', 'program', 'compile']

const values = await importsOfValues()
const types = importsOfTypes()

const sharedFiles: readonly string[] = [
  'errors.ts',
  'memory.ts',
  'text.ts',
  'make-directories.ts',
  'caller-rights.ts',
  'writable.ts',
  'state-root.ts',
  'temporary-root.ts',
  'node-version.ts',
]

function areaOf(file: string): string {
  if (dirname(file) !== '.') return file.split('/')[0] ?? ''
  return sharedFiles.includes(file) ? file.slice(0, -3) : 'library'
}

/** The area of a module, or the name of a package without the path in it. */
function areaOrPackage(name: string): string {
  return modules.includes(name) ? areaOf(name) : name.replace(/^(@[^/]+\/)?([^/]+).*/, '$1$2')
}

test('all modules are read', () => {
  expect([...values.keys()].sort()).toEqual(modules)
  expect(types.get('cli/run.ts')).toContain('cli/context.ts')
  expect(types.get('oci/document.ts')).toContain('zod/mini')
})

test.each(modules)('%s imports only what its area may', (file) => {
  const area = areaOf(file)
  const names = (values.get(file) ?? []).map(({ name }) => name)
  if (pure.includes(area)) {
    const ofNode = names.filter((name) => name.startsWith('node:') && name !== 'node:buffer')
    expect(ofNode, `${file} does no I/O`).toEqual([])
  }
  // The command line names types of what verbs take.
  const more = area === 'cli' ? [] : (types.get(file) ?? [])
  const targets = new Set([...names, ...more].filter((name) => !name.startsWith('node:')).map(areaOrPackage))
  targets.delete(area)
  for (const target of targets) expect(allowed[area], `${file} imports ${target}`).toContain(target)
})

/** The modules that a module imports, directly or not, `import()` and types aside. */
function importedBy(file: string, seen: Set<string> = new Set()): ReadonlySet<string> {
  if (seen.has(file)) return seen
  seen.add(file)
  for (const { name, isOwn, isLate } of values.get(file) ?? []) {
    if (isOwn && !isLate) importedBy(name, seen)
  }
  return seen
}

const imports = (file: string, pattern: RegExp): boolean =>
  (values.get(file) ?? []).some(({ name }) => pattern.test(name))

/** Modules that read or write the disk, but nothing that a program is compiled from. */
const besideTheDoor: Readonly<Record<string, string>> = {
  'host/door.ts': 'is the door',
  'host/read-file.ts': 'is how the door opens files',
  'host/facts.ts': 'lists block devices, which the door says that no guard watches',
  'runtime/kept/files.ts': 'writes what is kept',
  'runtime/proc.ts': 'finds out which writers of kept files are there',
  'runtime/inherited-fds.ts': 'counts the descriptors of this process, of which the call says how many there are',
  'state-root.ts': 'makes the state root',
  'make-directories.ts': 'makes its directory',
  'runtime/state-file.ts': 'reads the state of containers, of which only the form of labels is used here',
  'temporary-root.ts': 'looks at the state root of a user who has no runtime directory',
  'runtime/cgroup/cgroup.ts': 'is what that asks whether a container is frozen',
}

test('what a program is compiled from is read through the door', () => {
  const withDisk = [...importedBy('runtime/compile-container.ts')].filter((file) =>
    imports(file, /^node:fs(?:\/promises)?$/),
  )
  expect(withDisk.sort()).toEqual(Object.keys(besideTheDoor).sort())
})

test('config.json is read without zod, whose schemas would take a sixth of each compiled run', () => {
  const files = [...importedBy('runtime/compile-container.ts')]
  expect(files).toContain('oci/runtime-config.ts')
  expect(files.filter((file) => imports(file, /^zod\b/))).toEqual([])
})

/** `catch {`, and a promise whose rejection nobody looks at. */
const namelessPattern = /\bcatch\s*\{|\.catch\(\(\) =>(?!.*\/\/)/

test('no error is caught without a name, but where a comment says who else gets it', () => {
  const project = join(import.meta.dirname, '..')
  const nameless = ['src', 'scripts'].flatMap((directory) =>
    readdirSync(join(project, directory), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.([cm]?js|ts)$/.test(file))
      .flatMap((file) => {
        const lines = readFileSync(join(project, directory, file), 'utf8').split('\n')
        return lines.filter((line) => namelessPattern.test(line)).map((line) => `${directory}/${file}: ${line.trim()}`)
      }),
  )
  expect(nameless).toEqual([])
})

test('no modules import each other, directly or not, by types either', () => {
  // A module of a circle imports one of it, and is imported by one of it.
  let open = new Map(modules.map((file) => [file, types.get(file) ?? []]))
  for (let size = -1; size !== open.size; ) {
    size = open.size
    const imported = new Set([...open.values()].flat())
    open = new Map([...open].filter(([file, names]) => imported.has(file) && names.some((name) => open.has(name))))
  }
  expect([...open.keys()]).toEqual([])
})
