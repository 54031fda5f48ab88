import { readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { build, transform } from 'esbuild'
import { nodeCommands } from '../../src/program/contract.ts'

const project = join(import.meta.dirname, '../..')

/** The modules that only commands of Node.js load: these commands, the verbs of images and what both ask for. */
const ofNode: readonly string[] = [
  ...[...nodeCommands, 'ask'].map((name) => `src/cli/${name}.ts`),
  ...['try-with-subids', 'unshare'].map((name) => `src/verbs/container/${name}.ts`),
]

/**
 * The source of each file that a part of the interpreter is bundled from, but for those that only commands of Node.js need, and
 * what only those of `without` ask for.
 */
export async function filesOf(entries: readonly string[], without: readonly string[] = []): Promise<readonly string[]> {
  const left = [...ofNode, ...without]

  const { metafile } = await build({
    absWorkingDir: project,
    entryPoints: [...entries],
    outdir: 'out',
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    plugins: [
      {
        name: 'without',
        setup: ({ onResolve }) =>
          onResolve({ filter: /\.ts$/ }, ({ path, resolveDir }) => {
            const file = join(resolveDir, path)
            const isLeft = file.includes('src/verbs/image/') || left.some((name) => file.endsWith(name))
            return isLeft ? { path, external: true } : undefined
          }),
      },
    ],
  })
  return Object.keys(metafile.inputs).filter((file) => !file.startsWith('<'))
}

/** The prefix that free names get. */
const mark = 'free$'

/** `process`, `process.env`, `Object`, `Object.keys` ...: all that there is in Node.js without an import. */
const free = Object.getOwnPropertyNames(globalThis)
  .filter((name) => /^[\w$]+$/.test(name) && !/^(undefined|NaN|Infinity|globalThis|global)$/.test(name))
  .flatMap((name) => [name, ...membersOf(name, Reflect.get(globalThis, name)).map((member) => `${name}.${member}`)])
const define = Object.fromEntries(free.map((name) => [name, mark + name]))

function membersOf(name: string, value: unknown): readonly string[] {
  const isHolder = (typeof value === 'object' && value !== null) || typeof value === 'function'
  if (!isHolder) return []
  const names = new Set<string>()
  for (
    let at = value;
    at !== null && at !== Object.prototype && at !== Function.prototype;
    at = Object.getPrototypeOf(at)
  )
    for (const member of Object.getOwnPropertyNames(at)) names.add(member)
  // What a function or a class has of its own says nothing.
  const plain = ['prototype', 'length', 'name', 'caller', 'arguments', 'constructor', 'apply', 'call', 'bind']
  return [...names].filter((member) => /^[A-Za-z]\w*$/.test(member) && (name === 'process' || !plain.includes(member)))
}

/** The methods that a file calls, of whatever they are. */
export function methodsIn(file: string): readonly string[] {
  const source = readFileSync(join(project, file), 'utf8').replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')
  return [...source.matchAll(/\.([A-Za-z]\w*)\(/g)].map(([, name = '']) => name)
}

export interface Need {
  /** A module of Node.js, or a global: `node:fs`, `process`. */
  readonly of: string
  /** What is used of it; empty: the global itself. */
  readonly member: string
  readonly file: string
}

/** What a file calls of Node.js by name: named imports, members of modules and free names. */
export async function needsOf(file: string): Promise<readonly Need[]> {
  const source = readFileSync(join(project, file), 'utf8')
  const loader = file.endsWith('.ts') ? 'ts' : 'js'
  // The types and all that only they import are gone, and each import has one form.
  const { code } = await transform(source, { loader, define, target: 'node20', legalComments: 'none' })
  return [...importsIn(code), ...freeNamesIn(code)].map((need) => ({ ...need, file }))
}

function importsIn(code: string): readonly Omit<Need, 'file'>[] {
  const needs: Omit<Need, 'file'>[] = []
  const add = (of: string, names: string): void => {
    for (const name of names.split(',').map(
      (each) =>
        each
          .trim()
          .split(/ as |:/)[0]
          ?.trim() ?? '',
    ))
      if (name !== '') needs.push({ of: moduleOf(of), member: name })
  }
  const from = String.raw`(?:free\$process\.getBuiltinModule|require)\("([^".]+)"\)`
  for (const [, names = '', of = ''] of code.matchAll(/import \{([^}]*)\} from "([^".]+)"/g))
    if (isBuiltin(of)) add(of, names)
  for (const [, names = '', of = ''] of code.matchAll(new RegExp(String.raw`\{([^{}]*)\} = ${from}`, 'g')))
    add(of, names)
  for (const [, of = '', name = ''] of code.matchAll(new RegExp(String.raw`${from}\.(\w+)`, 'g'))) add(of, name)
  const whole = [
    ...[...code.matchAll(/import (?:\* as )?(\w+) from "([^".]+)"/g)].filter(([, , of = '']) => isBuiltin(of)),
    ...code.matchAll(new RegExp(String.raw`const (\w+) = ${from};`, 'g')),
  ]
  for (const [, variable = '', of = ''] of whole)
    for (const [, name = ''] of code.matchAll(new RegExp(String.raw`(?<![\w.$])${variable}\.(\w+)`, 'g'))) add(of, name)
  return needs
}

const isBuiltin = (name: string): boolean => builtinModules.includes(name.replace(/^node:/, ''))
const moduleOf = (name: string): string => `node:${name.replace(/^node:/, '')}`

function freeNamesIn(code: string): readonly Omit<Need, 'file'>[] {
  return [...code.matchAll(/free\$([\w$]+)((?:\.\w+)*)/g)].map(([, of = '', members = '']) => ({
    of,
    // Of a member of a member it is the first that is known to be Node.js' own; of process.stdout it is both.
    member: members
      .split('.')
      .slice(1, /^(stdin|stdout|stderr|hrtime|memoryUsage)$/.test(members.split('.')[1] ?? '') ? 3 : 2)
      .join('.'),
  }))
}
