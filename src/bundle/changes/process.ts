import { parseLimitedJsonIfAny } from '../../oci/json-limits.ts'
import type { Process, RuntimeConfig } from '../../oci/runtime-config.ts'
import { hasID } from '../id-mappings.ts'
import type { ListFlag, SwitchFlag, TextFlag } from './flag.ts'
import { list, refusal, text, toggle } from './flag.ts'
import { parseEnvFile, parseVariable, type Variable } from './variables.ts'

/** The annotation that says how many of the first words of `process.args` are the entrypoint, as a JSON array of them. */
export const entrypointAnnotation = 'bundle-tool.entrypoint'

/** A config with other members of `process`. */
export const withProcess = (config: RuntimeConfig, change: Partial<Process>): RuntimeConfig => ({
  ...config,
  process: { ...config.process, ...change },
})

/** A config.json that says which words of its command are the entrypoint. */
export function withEntrypoint(config: RuntimeConfig, words: readonly string[]): RuntimeConfig {
  const { [entrypointAnnotation]: _, ...annotations } = config.annotations ?? {}
  if (words.length === 0 && config.annotations === undefined) return config
  const own = words.length === 0 ? {} : { [entrypointAnnotation]: JSON.stringify(words) }
  return { ...config, annotations: { ...annotations, ...own } }
}

/** The first words of the command, if they are still those that the annotation names; otherwise none. */
export function entrypointOf({ process, annotations }: RuntimeConfig): readonly string[] {
  const words = wordsOf(annotations?.[entrypointAnnotation] ?? '')
  return words?.every((word, at) => process.args[at] === word) ? words : []
}

function wordsOf(json: string): readonly string[] | undefined {
  const words = parseLimitedJsonIfAny(json)
  return Array.isArray(words) && words.every((word) => typeof word === 'string') ? words : undefined
}

/** Replaces the command, but for the entrypoint before it. */
export const changeArgs = (config: RuntimeConfig, args: readonly string[]): RuntimeConfig =>
  withProcess(config, { args: [...entrypointOf(config), ...args] })

/** The words behind the entrypoint. */
export const argsBehindEntrypoint = (config: RuntimeConfig): readonly string[] =>
  config.process.args.slice(entrypointOf(config).length)

function parseEntrypoint(entrypoint: string): readonly string[] {
  if (!entrypoint.startsWith('[')) return entrypoint === '' ? [] : [entrypoint]
  const words = wordsOf(entrypoint)
  if (words === undefined) throw refusal('it must be one word, or a JSON array of words')
  return words
}

/** The words behind the entrypoint go: they were for the program that it was. */
export const entrypoint: TextFlag = text(
  { placeholder: 'word', help: 'what runs the command: a word, or a JSON array of words; "" for none' },
  {
    parse: parseEntrypoint,
    apply: (config, words) => withEntrypoint(withProcess(config, { args: words }), words),
    show: (config) => {
      const words = entrypointOf(config)
      const [first = ''] = words
      if (words.length === 0) return undefined
      return words.length === 1 && !first.startsWith('[') ? first : JSON.stringify(words)
    },
  },
)

export const env: ListFlag = list(
  { letter: 'e', placeholder: 'NAME=value', help: 'a variable, NAME=value; NAME alone has the value that it has here' },
  {
    parse: (value, around) => parseVariable(value, around.env),
    apply: setVariables,
    show: ({ process: { env = [] } }, base) => env.filter((entry) => !base.process.env?.includes(entry)),
  },
)

export const envFile: ListFlag = list(
  { placeholder: 'file', help: 'a file of variables, NAME=value on each line' },
  {
    parse: (path, around) => parseEnvFile(around.readText(path), around.env),
    apply: (config, files) => setVariables(config, files.flat()),
    show: () => [],
  },
)

/** Variables that are there keep their place. */
function setVariables(config: RuntimeConfig, variables: readonly Variable[]): RuntimeConfig {
  const env = new Map((config.process.env ?? []).map((entry) => [entry.split('=', 1)[0] ?? '', entry]))
  for (const { name, value } of variables) {
    if (value === undefined) env.delete(name)
    else env.set(name, `${name}=${value}`)
  }
  return withProcess(config, { env: [...env.values()] })
}

export const workdir: TextFlag = text(
  { letter: 'w', placeholder: 'directory', help: 'the directory that the program starts in' },
  {
    parse: (path) => {
      if (path.startsWith('/')) return path
      throw refusal('it must be an absolute path in the container')
    },
    apply: (config, cwd) => withProcess(config, { cwd }),
    show: ({ process }, base) => (process.cwd === base.process.cwd ? undefined : process.cwd),
  },
)

export const user: TextFlag = text(
  { letter: 'u', placeholder: 'user[:group]', help: 'who runs it, as ids or names of the image' },
  {
    parse: (value) => {
      if (value.split(':')[0] !== '') return value
      throw refusal('it must name a user')
    },
    apply: (config, value, around) => {
      const { uid, gid, additionalGids, home } = around.lookUpUser(value)
      const { uidMappings, gidMappings } = config.linux ?? {}
      const lacks = (mappings: typeof uidMappings, id: number) => mappings !== undefined && !hasID(mappings, id)
      if (lacks(uidMappings, uid) || lacks(gidMappings, gid)) {
        throw refusal(`the container's user namespace has no id for ${uid}:${gid}`, 'make the bundle with --subids')
      }
      const old = around.lookUpUser(String(config.process.user.uid)).home
      const groups = additionalGids.filter((id) => mayHaveGroups(config) && !lacks(gidMappings, id))
      return withProcess(config, {
        user: { ...unchanged(config), uid, gid, ...(groups.length > 0 && { additionalGids: groups }) },
        ...(config.process.env !== undefined && { env: changeHome(config.process.env, old, home) }),
      })
    },
    show: ({ process: { user } }, base) => {
      const { uid, gid } = base.process.user
      return user.uid === uid && user.gid === gid ? undefined : `${user.uid}:${user.gid}`
    },
  },
)

function unchanged({ process: { user } }: RuntimeConfig): Partial<Process['user']> {
  return user.umask === undefined ? {} : { umask: user.umask }
}

/** Alone, an unprivileged user may map one group only, and then the kernel wants setgroups(2) denied. */
const mayHaveGroups = ({ linux }: RuntimeConfig): boolean =>
  linux?.gidMappings === undefined || linux.gidMappings.some(({ size }) => size > 1)

/** The home directory follows the user, unless it is set to something else. */
function changeHome(env: readonly string[], old: string | undefined, home: string | undefined): readonly string[] {
  const at = env.findIndex((entry) => entry.startsWith('HOME='))
  if (at >= 0 && env[at] !== `HOME=${old}`) return env
  const others = env.filter((_, index) => index !== at)
  return home === undefined ? others : others.toSpliced(at < 0 ? others.length : at, 0, `HOME=${home}`)
}

export const tty: SwitchFlag = toggle(
  {
    letter: 't',
    help: 'give the program a terminal: the default',
    negation: 'give it none: for the background, scripts and the library',
  },
  {
    apply: (config, terminal) => {
      const env = (config.process.env ?? []).filter((entry) => terminal || entry !== 'TERM=xterm')
      const hasTerm = env.some((entry) => entry.startsWith('TERM='))
      return withProcess(config, { terminal, env: [...env, ...(terminal && !hasTerm ? ['TERM=xterm'] : [])] })
    },
    show: ({ process: { terminal = false } }, base) => (terminal === base.process.terminal ? undefined : terminal),
  },
)
