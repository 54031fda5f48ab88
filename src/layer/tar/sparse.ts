import { OciError } from '../../errors.ts'
import { blockBytes } from './header.ts'
import { type PaxRecords, paxNumber } from './pax.ts'

/** A stretch of a sparse file that has data; everything between is a hole. */
export interface SparseSegment {
  readonly offset: number
  readonly length: number
}

/** The layout of a sparse file's data. */
export interface SparseMap {
  readonly segments: readonly SparseSegment[]
  /** Size of the file with its holes. */
  readonly size: number
}

/**
 * Far more segments than any real file has; a map takes memory, as much as a hostile archive likes (CVE-2025-58183).
 */
const maxSegments = 65_536

/** The map of GNU formats 0.0 and 0.1, which stands in PAX records; undefined when there is none. */
export function paxSparseMap(records: PaxRecords): SparseMap | undefined {
  const map = records.get('GNU.sparse.map')
  const size = paxNumber(records, 'GNU.sparse.size')
  if (map === undefined || size === undefined) return undefined
  return sparseMap(map === '' ? [] : map.split(',').map(decimal), size)
}

/** The size of a file in GNU format 1.0, whose map precedes its data; undefined for other files. */
export function paxSparseSize(records: PaxRecords): number | undefined {
  if (records.get('GNU.sparse.major') !== '1' || records.get('GNU.sparse.minor') !== '0') return undefined
  return paxNumber(records, 'GNU.sparse.realsize')
}

/**
 * Parses the map of format 1.0: the number of segments, then offset and length of each, one decimal number per line.
 * @param text all blocks of the data so far
 * @returns undefined when the map goes on in the next block
 */
export function parseSparseMap(text: string, size: number): SparseMap | undefined {
  const firstEnd = text.indexOf('\n')
  if (firstEnd === -1) {
    if (text.length > blockBytes) throw invalid('a map without a length')
    return undefined
  }
  const count = decimal(text.slice(0, firstEnd))
  if (count > maxSegments) throw tooManySegments()
  const lines = text.split('\n', 2 * count + 2)
  if (lines.length < 2 * count + 2) {
    if (text.length > (2 * count + 2) * 24 + blockBytes) throw invalid('a map without an end')
    return undefined
  }
  return sparseMap(lines.slice(1, 2 * count + 1).map(decimal), size)
}

/** Reads `count` old GNU (typeflag S) segments at `at`; an all-NUL slot ends the list. */
export function readOldSparse(block: Buffer, at: number, count: number, into: number[]): void {
  for (let slot = 0; slot < count; slot += 1) {
    const start = at + slot * 24
    if (block[start] === 0 && block[start + 12] === 0) return
    into.push(oldNumber(block, start), oldNumber(block, start + 12))
    if (into.length > 2 * maxSegments) throw tooManySegments()
  }
}

/** A 12-byte number of an old GNU sparse header: octal, or base-256 where octal has too few digits. */
export function oldNumber(block: Buffer, start: number): number {
  if (block[start] === 0x80) return block.readUIntBE(start + 6, 6)
  const digits = block.toString('latin1', start, start + 12).replace(/[\0 ]+$/, '')
  if (!/^ *[0-7]+$/.test(digits)) throw invalid(`the number ${JSON.stringify(digits)}`)
  return Number.parseInt(digits, 8)
}

/**
 * The map with `numbers`, offset and length of each segment in turn.
 * @throws OciError `ERR_LAYER_INVALID` segments are out of order, overlap or end past the file; `ERR_LIMIT_EXCEEDED`
 *   there are too many
 */
export function sparseMap(numbers: readonly number[], size: number): SparseMap {
  if (numbers.length % 2 !== 0) throw invalid('half a segment')
  if (numbers.length > 2 * maxSegments) throw tooManySegments()
  const segments: SparseSegment[] = []
  let end = 0
  for (let i = 0; i < numbers.length; i += 2) {
    const offset = numbers[i] ?? 0
    const length = numbers[i + 1] ?? 0
    if (offset < end || offset + length > size) throw invalid('segments out of order or past its end')
    end = offset + length
    if (length > 0) segments.push({ offset, length })
  }
  return { segments, size }
}

function decimal(digits: string): number {
  const value = Number(digits)
  if (!/^\d+$/.test(digits) || !Number.isSafeInteger(value)) throw invalid(`the number ${JSON.stringify(digits)}`)
  return value
}

const invalid = (what: string): OciError => new OciError('ERR_LAYER_INVALID', `sparse file with ${what}`)

const tooManySegments = (): OciError =>
  new OciError('ERR_LIMIT_EXCEEDED', `sparse file with more than ${maxSegments} segments`)
