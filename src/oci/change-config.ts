import { OciError } from '../errors.ts'
import type { ExecutionConfig } from './image-config.ts'
import { parseJsonIfAny } from './json.ts'

/** The instructions of a Dockerfile that change how an image is started, as `docker commit --change` takes them. */
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
 * Applies one instruction: `CMD ["sh"]`, `ENV NAME=value`.
 *
 * CMD and ENTRYPOINT take a JSON array, or a line for `/bin/sh -c`. A new ENTRYPOINT empties CMD, as a build does.
 * @throws OciError `ERR_USAGE`
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
  const words = parseJsonIfAny(value)
  if (Array.isArray(words) && words.every((word) => typeof word === 'string')) return words
  throw usage(instruction)
}

/** `NAME=value`, the value in double quotes or without. */
function assignment(value: string, instruction: string): [name: string, text: string] {
  const [, name, quoted, plain] = /^([^=\s"]+)=(?:"([^"]*)"|([^"]*))$/s.exec(value) ?? []
  if (name === undefined) throw usage(instruction)
  return [name, quoted ?? plain ?? '']
}

const usage = (instruction: string): OciError =>
  new OciError('ERR_USAGE', `"${instruction}" is no change of an image config`, {
    hint: `write one of ${changeInstructions.join(', ')} with its value, as in a Dockerfile`,
  })
