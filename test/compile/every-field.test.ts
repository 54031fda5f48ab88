// Every field of config.json changes the program, is refused by its name, or is ignored for a reason, on every kind of host.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { compile } from '../../src/compile/compile.ts'
import type { HostFacts } from '../../src/compile/facts.ts'
import { knownMountOptions } from '../../src/compile/mount/options.ts'
import { OciError } from '../../src/errors.ts'
import { parseCgroups } from '../../src/host/cgroups.ts'
import { invalidConfig, parseRuntimeConfig, runtimeConfig } from '../../src/oci/runtime-config.ts'
import { runtimeConfigProblems } from '../../src/oci/runtime-config-rules.ts'
import type { Step } from '../../src/program/program.ts'
import { fieldsOf } from '../config-fields.ts'
import { type Example, fieldExamples, type HostName, hostNames } from './field-examples.ts'
import { filterOf, hosts, plainRun, smallConfig, stepsOf } from './hosts.ts'

const v1 = [
  'cpu,cpuacct',
  'cpuset',
  'memory',
  'devices',
  'freezer',
  'blkio',
  'pids',
  'hugetlb',
  'net_cls',
  'net_prio',
  'rdma',
]
const root = '1 0 8:1 / / rw - ext4 /dev/sda1 rw\n'
const mount = (index: number, path: string, type: string, options: string): string =>
  `${index + 10} 1 0:${index} / ${path} rw - ${type} ${type} rw,${options}\n`
const own = (controllers: readonly string[]): string =>
  ['', ...controllers].map((names, index) => `${index}:${names}:/user.slice/a.scope\n`).join('')
const v1Mounts = v1.map((names, index) => mount(index, `/sys/fs/cgroup/${names}`, 'cgroup', names)).join('')
const unified = (path: string): string => mount(90, path, 'cgroup2', 'nsdelegate')

/** /proc/self/cgroup and mountinfo of each host. */
const texts: Readonly<Record<HostName, readonly [own: string, mounts: string]>> = {
  v1: [own(v1), v1Mounts],
  hybrid: [own(v1), v1Mounts + unified('/sys/fs/cgroup/unified')],
  v2: [own([]), unified('/sys/fs/cgroup')],
  'v2 and v1 elsewhere': [own(['name=vpn']), unified('/sys/fs/cgroup') + mount(91, '/mnt', 'cgroup', 'name=vpn')],
  'rootless on v2': [own([]), unified('/sys/fs/cgroup')],
}

function factsOf(host: HostName, needs: Partial<HostFacts>): HostFacts {
  const [cgroup, mounts] = texts[host]
  const caller = host.startsWith('rootless') ? hosts.rootlessV2 : hosts.v2
  return { ...caller, ...needs, cgroups: parseCgroups(cgroup, root + mounts) }
}

type Document = Record<string, unknown>

/** Sets the value at a pointer and makes missing parents: a list if the next name is a number, else an object. */
function setAt(document: Document, pointer: string, value: unknown): void {
  const names = pointer.slice(1).split('/')
  const last = names.pop() ?? ''
  let at = document
  names.forEach((name, index) => {
    at[name] ??= /^\d+$/.test(names[index + 1] ?? last) ? [] : {}
    at = at[name] as Document
  })
  if (value === undefined) delete at[last]
  else at[last] = structuredClone(value)
}

function documentOf(
  field: string,
  { at = field, set, otherwise, beside = {} }: Example,
  host: HostName,
  isSet: boolean,
): string {
  const document: Document = structuredClone({ ...smallConfig, linux: {} }) as unknown as Document
  const range = [{ containerID: 0, hostID: 1000, size: 1 }]
  setAt(
    document,
    '/linux/namespaces',
    ['mount', 'pid', 'network', 'ipc', 'uts'].map((type) => ({ type })),
  )
  for (const [pointer, value] of Object.entries(beside)) setAt(document, pointer, value)
  setAt(document, at, isSet ? set : otherwise)
  if (host.startsWith('rootless')) addUserNamespace(document.linux as Document, range)
  return JSON.stringify(document)
}

/** Adds a user namespace, without which a user cannot run a container. */
function addUserNamespace(linux: Document, range: unknown): void {
  const list = linux.namespaces as { readonly type: string }[]
  if (list.some(({ type }) => type === 'user')) return
  list.push({ type: 'user' })
  linux.uidMappings ??= range
  linux.gidMappings ??= range
}

interface Compiled {
  readonly steps: readonly Step[]
  readonly warnings: readonly string[]
  readonly error?: OciError
}

function compiled(text: string, facts: HostFacts): Compiled {
  const warnings: string[] = []
  const say = (message: string): number => warnings.push(message)
  try {
    const config = parseRuntimeConfig(text)
    const problems = runtimeConfigProblems(config)
    if (problems.length > 0) throw invalidConfig(problems)
    const program = compile(config, { ...plainRun, ...filterOf(config, facts), warn: say, note: say }, facts)
    const undo = program.host.flatMap((step) => step.undo)
    return { steps: [...stepsOf(program).map(withoutUndo), ...undo], warnings }
  } catch (error) {
    if (error instanceof OciError) return { steps: [], warnings, error }
    throw error
  }
}

/** A step without the undo that host steps have, so that steps of all phases compare equal. */
const withoutUndo = ({ op, operands, from, ok }: Step): Step => ({ op, operands, from, ok })

const textOf = (step: Step): string =>
  JSON.stringify(step, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value instanceof Uint8Array ? [...value] : value,
  )

interface Outcome {
  readonly kind: 'done' | 'refused' | 'warned' | 'nothing'
  /** For `done`: the ops that differ, or the files that they write. */
  readonly ops: readonly string[]
  /** For `refused`: the pointer of the error. */
  readonly pointer?: string | undefined
}

function outcomeOf(field: string, example: Example, host: HostName, needs = example.needs?.facts ?? {}): Outcome {
  const facts = factsOf(host, needs)
  const without = compiled(documentOf(field, example, host, false), facts)
  const withIt = compiled(documentOf(field, example, host, true), facts)
  const { error } = withIt
  if (error) return { kind: 'refused', ops: [], pointer: error.pointer }
  expect(without.error, `${field} on ${host}: without it there is an error`).toBeUndefined()
  const before = new Set(without.steps.map(textOf))
  const after = new Set(withIt.steps.map(textOf))
  const added = withIt.steps.filter((step) => !before.has(textOf(step)))
  const changed = added.length > 0 ? added : without.steps.filter((step) => !after.has(textOf(step)))
  const isOfField = ({ from }: Step): boolean => isNear(from, example.at ?? field)
  const named = changed.some(isOfField) ? changed.filter(isOfField) : changed
  if (changed.length > 0) return { kind: 'done', ops: [...new Set(named.flatMap(nameOf))] }
  return { kind: withIt.warnings.length > 0 ? 'warned' : 'nothing', ops: [] }
}

/** The name of the op, or of the file that it writes. */
function nameOf({ op, operands: { path } }: Step): readonly string[] {
  if (op !== 'write_file' && op !== 'write_lines') return [op]
  const text = [path]
    .flat()
    .map((piece) => (typeof piece === 'string' ? piece : ''))
    .join('')
  return [text.split('/').at(-1) ?? op]
}

/** True when a pointer is that of a field, of a sibling or member of it, or of an object that contains it, except a whole section. */
function isNear(pointer: string, field: string): boolean {
  const parent = field.replace(/\/[^/]*$/, '')
  const isPartOf = (part: string, whole: string): boolean => whole !== '' && `${part}/`.startsWith(`${whole}/`)
  const isSection = pointer.split('/').length <= 2
  return isPartOf(pointer, field) || isPartOf(pointer, parent) || (!isSection && isPartOf(field, pointer))
}

const reasonOf = ({ ignored }: Example, host: HostName): string | undefined =>
  typeof ignored === 'string' ? ignored : ignored?.[host]

const examples = Object.entries(fieldExamples)

test('every field of the schema has an example, and every example is one of a field', () => {
  expect(Object.keys(fieldExamples).sort()).toEqual([...fieldsOf(runtimeConfig)].sort())
})

test.each(examples)('%s is applied, refused with its pointer, or ignored for a reason', (field, example) => {
  for (const host of hostNames) {
    const { kind, pointer } = outcomeOf(field, example, host)
    const reason = reasonOf(example, host)
    if (kind === 'refused') expect(isNear(pointer ?? '', example.at ?? field), `${host}: ${pointer}`).toBe(true)
    if (reason !== undefined) expect(['nothing', 'warned'], host).toContain(kind)
    else if (field.startsWith('/linux/resources/devices') && host.startsWith('rootless')) expect(kind).toBe('warned')
    else expect(['done', 'refused'], host).toContain(kind)
  }
})

test('a field is refused on a host that lacks what it needs', () => {
  for (const [field, example] of examples.filter(([, { needs }]) => needs)) {
    for (const host of hostNames) {
      const { kind, pointer = '' } = outcomeOf(field, example, host, {})
      expect({ kind, isNear: isNear(pointer, example.at ?? field) }, `${field} on ${host}`).toEqual({
        kind: 'refused',
        isNear: true,
      })
    }
  }
})

test('a hierarchy of v1 that is mounted elsewhere changes nothing on a v2 host', () => {
  for (const [field, example] of examples) {
    expect(outcomeOf(field, example, 'v2 and v1 elsewhere'), field).toEqual(outcomeOf(field, example, 'v2'))
  }
})

/** Options that have no effect on a bind, `copy-symlink` unless its source is a link. */
const ofEveryBind = ['bind', 'copy-symlink', 'defaults', 'remount']

test('every mount option changes the steps of a bind, or is refused with its pointer', () => {
  const facts = factsOf('v2', {})
  const withOptions = (...options: readonly string[]): Compiled => {
    const mounts = [{ destination: '/data', source: '/srv', options: ['bind', ...options] }]
    return compiled(JSON.stringify({ ...smallConfig, mounts }), facts)
  }
  const plain = withOptions().steps.map(textOf)
  for (const option of knownMountOptions()) {
    const { steps, error } = withOptions(option)
    if (error) expect(error.pointer, option).toBe('/mounts/0/options')
    else
      expect(
        steps.some((step) => !plain.includes(textOf(step))),
        option,
      ).toBe(!ofEveryBind.includes(option))
  }
})

/** The cell of a field: the files or ops such as `memory.max`, `refused`, or the reason for which it is ignored. */
function cell(field: string, example: Example, host: HostName): string {
  const { kind, ops } = outcomeOf(field, example, host)
  const needs = example.needs ? `; without ${example.needs.name} refused` : ''
  const names = ops.slice(0, 4).map((name) => `\`${name}\``)
  if (kind === 'done') return names.join(', ') + (ops.length > 4 ? ' ...' : '') + needs
  if (kind === 'refused') return 'refused'
  const reason = reasonOf(example, host) ?? "it takes root's rights on the host"
  return `ignored${kind === 'warned' ? ' with a warning' : ''}: ${reason}`
}

/** The rows of a table. Fields of one object with the same cells share a row: `a.{b, c}`. */
function rowsOf(cellsOf: (field: string, example: Example) => readonly string[] | undefined): readonly string[] {
  const rows = new Map<string, string[]>()
  for (const [field, example] of examples) {
    const cells = cellsOf(field, example)
    if (cells === undefined) continue
    const [, parent = '', name = ''] = /^\/(.*\/(?=[^*])|)(.*)$/.exec(field) ?? []
    const key = [parent, ...cells].join('\0')
    rows.set(key, [...(rows.get(key) ?? []), name])
  }
  return [...rows].map(([key, names]) => {
    const [parent = '', ...cells] = key.split('\0')
    const list = names.length > 1 ? `{${names.join(', ')}}` : names.join()
    const field = `${parent}${list}`.replaceAll('/*', '[]').replaceAll('/', '.')
    return `| \`${field}\` | ${cells.join(' | ')} |`
  })
}

function table(...columns: readonly string[]): string {
  return `| ${columns.join(' | ')} |\n|${' --- |'.repeat(columns.length)}\n`
}

function page(text: string): string {
  const cellsOf = (field: string, example: Example): readonly string[] =>
    hostNames.map((host) => cell(field, example, host))
  const isSame = (cells: readonly string[]): boolean => cells.every((one) => one === cells[0])
  const everywhere = rowsOf((field, example) => {
    const cells = cellsOf(field, example)
    return isSame(cells) ? cells.slice(0, 1) : undefined
  })
  const byHost = rowsOf((field, example) => {
    const cells = cellsOf(field, example)
    return isSame(cells) ? undefined : cells
  })
  return [
    text.slice(0, text.indexOf('## By the host')),
    `## By the host\n\n${table('field', ...hostNames)}${byHost.join('\n')}\n\n`,
    `## The same everywhere\n\n${table('field', 'what is done')}${everywhere.join('\n')}\n`,
  ].join('')
}

test('docs/config-fields.md has these tables', () => {
  const path = join(import.meta.dirname, '../../docs/config-fields.md')
  const expected = page(readFileSync(path, 'utf8'))
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, expected)
  expect(readFileSync(path, 'utf8')).toBe(expected)
})
