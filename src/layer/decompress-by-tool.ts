import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { isSystemError, OciError } from '../errors.ts'
import { type ByteSource, pieces } from './byte-source.ts'

/** Compressions that Node.js has no code for. Their tools do it, as for GNU tar and Docker, with a bound for their memory. */
const tools = {
  xz: { args: ['--decompress', '--stdout', '--quiet', '--memlimit-decompress=512MiB'], install: 'xz-utils' },
  bzip2: { args: ['--decompress', '--stdout'], install: 'bzip2' },
} as const

/** What an error repeats of what a tool says. */
const maxWordBytes = 300

/**
 * Uncompresses what follows in `source`, to its end, by the tool of that name.
 *
 * @throws OciError `ERR_NOT_SUPPORTED` it is not installed; `ERR_LAYER_INVALID` it says that the data is damaged
 */
export async function* decompressByTool(source: ByteSource, name: keyof typeof tools): AsyncGenerator<Buffer> {
  const { args, install } = tools[name]
  const { PATH } = process.env
  // Without variables such as XZ_OPT, which would change what it does.
  const tool = spawn(name, args, { stdio: 'pipe', env: { LC_ALL: 'C', ...(PATH !== undefined && { PATH }) } })
  const ended = once(tool, 'close')
  ended.catch(() => {}) // awaited after its output
  const feeding = pipeline(Readable.from(pieces(source)), tool.stdin).catch((error: unknown) => error)
  let words = ''
  tool.stderr.on('data', (data: Buffer) => {
    words = `${words}${data}`.slice(0, maxWordBytes)
  })
  try {
    yield* tool.stdout
    const [status, signal] = await ended
    const failure = await feeding
    // A tool that gives up closes its input: its own words say more than that.
    if (failure !== undefined && !isSystemError(failure, 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE')) throw failure
    if (status !== 0)
      throw new OciError('ERR_LAYER_INVALID', `${name} stream: ${firstLine(words) || (signal ?? status)}`)
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

const firstLine = (text: string): string => text.trim().split('\n')[0] ?? ''
