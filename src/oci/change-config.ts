import { OciError } from '../errors.ts'
import type { ExecutionConfig } from './image-config.ts'
import { parseLimitedJsonIfAny } from './json-limits.ts'

/** Dockerfile instructions that change an image config; `docker commit --change` accepts the same. */
export const changeInstructions = [
  'CMD',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'LABEL',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
] as const

/**
 * Applies one instruction, such as `CMD ["sh"]` or `ENV NAME=value`.
 *
 * CMD and ENTRYPOINT take a JSON array, or a line for `/bin/sh -c`. A new ENTRYPOINT removes CMD, as in a build.
 * @throws OciError `ERR_USAGE` an unknown instruction or an invalid value
 */
export function changeConfig(config: ExecutionConfig, instruction: string): ExecutionConfig {
  const [, word = '', value = ''] = /^\s*(\S+)\s+(.*?)\s*$/s.exec(instruction) ?? []
  if (value === '') throw usage(instruction)
  switch (word.toUpperCase()) {
    case 'CMD':
      return { ...config, Cmd: command(value, instruction) }
    case 'ENTRYPOINT':
      return { ...config, Entrypoint: command(value, instruction), Cmd: undefined }
    case 'ENV': {
      const [name, text] = assignment(value, instruction)
      const others = (config.Env ?? []).filter((entry) => !entry.startsWith(`${name}=`))
      return { ...config, Env: [...others, `${name}=${text}`] }
    }
    case 'LABEL': {
      const [name, text] = assignment(value, instruction)
      return { ...config, Labels: { ...config.Labels, [name]: text } }
    }
    case 'EXPOSE': {
      const ports = value.split(/\s+/).map((port) => [port.includes('/') ? port : `${port}/tcp`, {}])
      return { ...config, ExposedPorts: { ...config.ExposedPorts, ...Object.fromEntries(ports) } }
    }
    case 'VOLUME':
      return { ...config, Volumes: { ...config.Volumes, [value]: {} } }
    case 'STOPSIGNAL':
      return { ...config, StopSignal: value }
    case 'USER':
      return { ...config, User: value }
    case 'WORKDIR':
      if (!value.startsWith('/')) throw usage(instruction)
      return { ...config, WorkingDir: value }
    default:
      throw usage(instruction)
  }
}

function command(value: string, instruction: string): string[] {
  if (!value.startsWith('[')) return ['/bin/sh', '-c', value]
  const words = parseLimitedJsonIfAny(value)
  if (Array.isArray(words) && words.every((word) => typeof word === 'string')) return words
  throw usage(instruction)
}

/** Parses `NAME=value`, the value with or without double quotes. */
function assignment(value: string, instruction: string): [name: string, text: string] {
  const [, name, quoted, plain] = /^([^=\s"]+)=(?:"([^"]*)"|([^"]*))$/s.exec(value) ?? []
  if (name === undefined) throw usage(instruction)
  return [name, quoted ?? plain ?? '']
}

const usage = (instruction: string): OciError =>
  new OciError('ERR_USAGE', `"${instruction}" is not a valid change of an image config`, {
    hint: `write one of ${changeInstructions.join(', ')} with its value, as in a Dockerfile`,
  })
