import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { isSystemError, OciError } from '../errors.ts'
import { type ByteSource, pieces } from './byte-source.ts'

/**
 * Compressions that Node.js does not support. Command-line tools do the work, as for GNU tar and Docker; xz has a
 * memory limit.
 */
const tools = {
  xz: { args: ['--decompress', '--stdout', '--quiet', '--memlimit-decompress=512MiB'], install: 'xz-utils' },
  bzip2: { args: ['--decompress', '--stdout'], install: 'bzip2' },
} as const

/** The most characters of a tool's standard error that an error message repeats. */
const maxWordBytes = 300

/**
 * Decompresses the rest of `source` with the tool of that name.
 * @throws OciError `ERR_NOT_SUPPORTED` the tool is not installed; `ERR_LAYER_INVALID` the tool reports damaged data
 */
export async function* decompressByTool(source: ByteSource, name: keyof typeof tools): AsyncGenerator<Buffer> {
  const { args, install } = tools[name]
  const { PATH } = process.env
  // Variables such as XZ_OPT, which would change what the tool does, are left out.
  const tool = spawn(name, args, { stdio: 'pipe', env: { LC_ALL: 'C', ...(PATH !== undefined && { PATH }) } })
  const ended = once(tool, 'close')
  ended.catch(() => {}) // awaited after the tool's output
  const feeding = pipeline(Readable.from(pieces(source)), tool.stdin).catch((error: unknown) => error)
  let words = ''
  tool.stderr.on('data', (data: Buffer) => {
    words = `${words}${data}`.slice(0, maxWordBytes)
  })
  try {
    yield* tool.stdout
    const [status, signal] = await ended
    const failure = await feeding
    // A tool that fails closes its input; its own error message says more than EPIPE.
    if (failure !== undefined && !isSystemError(failure, 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE')) throw failure
    if (status !== 0)
      throw new OciError('ERR_LAYER_INVALID', `${name} stream with damaged data: ${said(words) || (signal ?? status)}`)
  } catch (error) {
    if (!isSystemError(error, 'ENOENT') || !error.syscall?.startsWith('spawn')) throw error
    throw new OciError('ERR_NOT_SUPPORTED', `the layer is compressed with ${name}, and ${name} is not installed`, {
      hint: `install ${install}, or use an image whose layers are compressed with gzip or zstd`,
      cause: error,
    })
  } finally {
    tool.kill()
  }
}

/** The first line of what a tool says, without the names of itself and of its input. */
const said = (text: string): string =>
  (text.trim().split('\n')[0] ?? '').replace(/^(?:xz|bzip2): (?:\(stdin\): )?/, '').replace(/[;.]$/, '')
