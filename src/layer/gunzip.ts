import { setImmediate as nextTurn } from 'node:timers/promises'
import { crc32, createInflateRaw, type InflateRaw } from 'node:zlib'
import { OciError } from '../errors.ts'
import { releaseChunk } from '../memory.ts'
import type { ByteSource } from './byte-source.ts'
import { release } from './release.ts'

/** Options of `gunzip`. */
export interface GunzipOptions {
  /** Called about bytes that are ignored. */
  readonly warn: (message: string) => void
  /** True when the caller checks a digest of the whole output. */
  readonly hasDigest?: boolean | undefined
  /** True when the caller uses a piece only until it asks for the next one: the memory is then freed at once. */
  readonly isTransient?: boolean | undefined
}

/**
 * Size of an output buffer. Node.js's default of 16 KiB takes twice as long: each buffer is a task of the thread pool.
 */
const outputBytes = 2 * 1024 * 1024
/** Size to which smaller inputs are joined: each input takes a turn of the event loop. */
const inputBytes = 512 * 1024
/** Bytes that the thread pool may be ahead of the reader, to even out pieces that take longer to apply. */
const aheadBytes = 8 * 1024 * 1024
/** Inputs given to the inflater at a time: one is inflated while the next waits. */
const inputsAhead = 2
/** The longest name or comment of a header; real ones are far shorter. */
const maxHeaderBytes = 256 * 1024

/**
 * Decompresses gzip; the thread pool inflates while the reader works on the piece before.
 *
 * Members may follow each other (eStargz is made of thousands), with NULs between and after them. Other bytes after a
 * member are reported to `warn` and left in `source`. Node.js's own Gunzip throws on such bytes, and loses the data
 * before them.
 * @throws OciError `ERR_LAYER_INVALID` damaged or cut off, or with a wrong checksum; the CRC is not checked where
 *   `hasDigest` is true, since the caller's digest finds the same damage
 * @see RFC 1952
 */
export async function* gunzip(source: ByteSource, options: GunzipOptions): AsyncGenerator<Buffer> {
  do {
    await readHeader(source)
    yield* inflateMember(source, options)
  } while (await isAtMember(source, options.warn))
}

async function isAtMember(source: ByteSource, warn: (message: string) => void): Promise<boolean> {
  for (;;) {
    const piece = await source.next()
    if (piece === undefined) return false
    const start = piece.findIndex((byte) => byte !== 0)
    if (start === -1) continue
    source.unread(piece.subarray(start))
    const magic = await source.take(2)
    source.unread(magic)
    if (magic[0] === 0x1f && magic[1] === 0x8b) return true
    warn('the compressed layer is followed by bytes that are not gzip; they are ignored')
    return false
  }
}

/** Reads to the first byte of compressed data. */
async function readHeader(source: ByteSource): Promise<void> {
  const fixed = await exactly(source, 10)
  if (fixed[0] !== 0x1f || fixed[1] !== 0x8b || fixed[2] !== 8) throw invalid('a damaged header')
  const flags = fixed[3] ?? 0
  if ((flags & 4) !== 0) await exactly(source, (await exactly(source, 2)).readUInt16LE())
  if ((flags & 8) !== 0) await skipString(source)
  if ((flags & 16) !== 0) await skipString(source)
  if ((flags & 2) !== 0) await exactly(source, 2)
}

async function skipString(source: ByteSource): Promise<void> {
  for (let length = 0; length < maxHeaderBytes; ) {
    const piece = await source.next()
    if (piece === undefined) throw cutOff()
    const nul = piece.indexOf(0)
    if (nul !== -1) return source.unread(piece.subarray(nul + 1))
    length += piece.length
  }
  throw new OciError('ERR_LIMIT_EXCEEDED', `gzip header of more than ${maxHeaderBytes} bytes`)
}

async function* inflateMember(source: ByteSource, { hasDigest, isTransient }: GunzipOptions): AsyncGenerator<Buffer> {
  const inflate = createInflateRaw({ chunkSize: outputBytes })
  const feeding = feed(source, inflate)
  let checksum = 0
  let size = 0
  try {
    for await (const chunk of inflated(inflate)) {
      if (!hasDigest) checksum = crc32(chunk, checksum)
      size += chunk.length
      yield chunk
      if (isTransient) release(chunk)
    }
  } catch (error) {
    throw isZlibError(error) ? damaged(error) : error
  } finally {
    source.unread(await feeding.stop())
  }
  const trailer = await exactly(source, 8)
  if (!hasDigest && trailer.readUInt32LE(0) !== checksum) throw invalid('a wrong checksum')
  if (trailer.readUInt32LE(4) !== size % 2 ** 32) throw invalid('a wrong size')
}

/**
 * The output of `inflate`, at most `aheadBytes` ahead of the reader, in pieces that fill their memory except for the
 * last.
 *
 * The stream's own iterator is not used: it joins everything that is ready into one copy, and continues without a turn
 * of the event loop, in which the next piece of work could be given to the thread pool.
 */
async function* inflated(inflate: InflateRaw): AsyncGenerator<Buffer> {
  const ready: Buffer[] = []
  const state: { bytes: number; isEnded: boolean; failure: Error | undefined; wake(): void } = {
    bytes: 0,
    isEnded: false,
    failure: undefined,
    wake() {},
  }
  inflate.on('data', (chunk: Buffer) => {
    const last = ready.at(-1)
    const joined = last && joinAdjacent(last, chunk)
    if (joined === undefined) ready.push(chunk)
    else ready[ready.length - 1] = joined
    state.bytes += chunk.length
    if (state.bytes >= aheadBytes) inflate.pause()
    state.wake()
  })
  inflate.on('end', () => {
    state.isEnded = true
    state.wake()
  })
  inflate.on('error', (error) => {
    state.failure = error
    state.wake()
  })
  for (;;) {
    const isWhole = ready.length > 1 || state.isEnded || ready[0]?.byteLength === outputBytes
    const chunk = isWhole ? ready.shift() : undefined
    if (chunk !== undefined) {
      state.bytes -= chunk.length
      if (inflate.isPaused() && state.bytes < aheadBytes) inflate.resume()
      yield chunk
      if (!state.isEnded) await nextTurn()
      continue
    }
    if (state.failure !== undefined) throw state.failure
    if (state.isEnded) return
    await new Promise<void>((resolve) => {
      state.wake = resolve
    })
  }
}

/**
 * One view of two adjacent pieces of the same memory, or undefined. The end of an input ends a piece before its memory
 * is full.
 */
function joinAdjacent(first: Buffer, second: Buffer): Buffer | undefined {
  const isAdjacent = first.buffer === second.buffer && first.byteOffset + first.byteLength === second.byteOffset
  return isAdjacent ? Buffer.from(first.buffer, first.byteOffset, first.byteLength + second.byteLength) : undefined
}

/** Feeds `inflate` from `source`; `stop` ends that and returns the input that was not used. */
function feed(source: ByteSource, inflate: InflateRaw): { stop(): Promise<Buffer> } {
  /** Input given to `inflate`, without the pieces that are used up. */
  const given: Buffer[] = []
  let givenBytes = 0
  let total = 0
  let waiting = 0
  let isStopped = false
  let wake = (): void => {}

  async function run(): Promise<void> {
    for (;;) {
      const input = await gather(source)
      if (input === undefined) {
        inflate.end()
        return
      }
      given.push(input)
      givenBytes += input.length
      total += input.length
      if (isStopped) return
      waiting += 1
      // The stream's 'drain' event comes only when nothing is waiting, and the thread pool would idle until more is
      // read.
      inflate.write(input, () => {
        waiting -= 1
        wake()
      })
      for (let oldest = given[0]; oldest && givenBytes - oldest.length >= unused(); oldest = given[0]) {
        given.shift()
        givenBytes -= oldest.length
        releaseChunk(oldest)
      }
      while (waiting >= inputsAhead && !isStopped) await new Promise<void>((resolve) => (wake = resolve))
    }
  }

  const unused = (): number => total - inflate.bytesWritten

  const running = run().catch((error: unknown) => {
    inflate.destroy(error instanceof Error ? error : new Error(String(error)))
  })

  async function stop(): Promise<Buffer> {
    isStopped = true
    inflate.destroy()
    wake()
    await running
    return Buffer.concat(given).subarray(givenBytes - unused())
  }

  return { stop }
}

async function gather(source: ByteSource): Promise<Buffer | undefined> {
  const first = await source.next()
  if (first === undefined || first.length >= inputBytes) return first
  const rest = await source.take(inputBytes - first.length)
  return Buffer.concat([first, rest])
}

async function exactly(source: ByteSource, length: number): Promise<Buffer> {
  const bytes = await source.take(length)
  if (bytes.length < length) throw cutOff()
  return bytes
}

const isZlibError = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && /^Z_/.test(String(error.code))

const damaged = (cause: Error & { code?: unknown }): OciError =>
  cause.code === 'Z_BUF_ERROR' ? cutOff() : invalid(`damaged data: ${cause.message}`)

const cutOff = (): OciError => invalid('a missing end')

const invalid = (what: string): OciError => new OciError('ERR_LAYER_INVALID', `gzip stream with ${what}`)
