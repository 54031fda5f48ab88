import { OciError } from '../errors.ts'
import { type Engine, type EngineRuntime, runtimeName } from './engine.ts'

type JsonObject = Readonly<Record<string, unknown>>

/** @see https://docs.docker.com/reference/cli/dockerd "Daemon configuration file" */
export const docker: Engine = {
  file: () => '/etc/docker/daemon.json',
  snippet: (runtime) => format(withRuntime({}, runtime), ''),
  add: (runtime, text) => changed(text, withRuntime(parse(text), runtime)),
  remove(text) {
    const document = parse(text)
    const rest = withoutRuntime(document)
    // A file of nothing else, as it is written here, was made here.
    const isOwn = hasRuntime(document) && Object.keys(rest).length === 0 && text === format(document, '')
    return isOwn || text.trim() === '' ? undefined : changed(text, rest)
  },
  // A reload changes what the file has, and keeps what is gone from it.
  restart: { write: 'systemctl reload docker', remove: 'systemctl restart docker' },
}

/** The text of a changed document; the present one where nothing has changed, however that is formatted. */
const changed = (text: string, document: JsonObject): string =>
  JSON.stringify(parse(text)) === JSON.stringify(document) ? text : format(document, text)

function parse(text: string): JsonObject {
  try {
    const document: unknown = text.trim() === '' ? {} : JSON.parse(text)
    if (isObject(document) && (document.runtimes === undefined || isObject(document.runtimes))) return document
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new OciError('ERR_ENGINE_CONFIG', `daemon.json is not JSON: ${cause.message}`, { cause })
  }
  throw new OciError('ERR_ENGINE_CONFIG', 'daemon.json is no object, or its "runtimes" is none')
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function withRuntime(document: JsonObject, { path, isDefault }: EngineRuntime): JsonObject {
  const runtimes = { ...(document.runtimes as JsonObject | undefined), [runtimeName]: { path } }
  const { 'default-runtime': earlier, ...rest } = document
  const name = isDefault ? runtimeName : earlier === runtimeName ? undefined : earlier
  return { ...rest, ...(name === undefined ? {} : { 'default-runtime': name }), runtimes }
}

function withoutRuntime(document: JsonObject): JsonObject {
  const { runtimes, 'default-runtime': name, ...rest } = document
  const { [runtimeName]: _, ...others } = (runtimes ?? {}) as JsonObject
  return {
    ...rest,
    ...(name === undefined || name === runtimeName ? {} : { 'default-runtime': name }),
    ...(Object.keys(others).length === 0 ? {} : { runtimes: others }),
  }
}

const hasRuntime = ({ runtimes }: JsonObject): boolean => isObject(runtimes) && isObject(runtimes[runtimeName])

/** Formats a document with the indentation of the file's text; four spaces for a new one. */
function format(document: JsonObject, text: string): string {
  const indentation = /\n([ \t]+)"/.exec(text)?.[1] ?? '    '
  return `${JSON.stringify(document, undefined, indentation)}\n`
}
