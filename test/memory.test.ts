import { expect, test } from 'vitest'
import { allocateChunk, releaseChunk } from '../src/memory.ts'

test('memory that was released serves the next chunk of that size', () => {
  const first = allocateChunk(4096)
  releaseChunk(first)
  const second = allocateChunk(4096)
  expect(second.buffer).toBe(first.buffer)
  expect(allocateChunk(4096).buffer).not.toBe(second.buffer)
})

test('memory is given back once, and only whole and by whom it was lent', () => {
  const chunk = allocateChunk(8192)
  releaseChunk(chunk.subarray(1))
  expect(allocateChunk(8192).buffer).not.toBe(chunk.buffer)
  releaseChunk(chunk)
  releaseChunk(chunk)
  expect(allocateChunk(8192).buffer).toBe(chunk.buffer)
  expect(allocateChunk(8192).buffer).not.toBe(chunk.buffer)
  const foreign = Buffer.alloc(8192)
  releaseChunk(foreign)
  expect(allocateChunk(8192).buffer).not.toBe(foreign.buffer)
})

test('what is spare is bounded', () => {
  const chunks = Array.from({ length: 40 }, () => allocateChunk(16384))
  for (const chunk of chunks) releaseChunk(chunk)
  const lent = new Set(chunks.map(({ buffer }) => buffer))
  const again = Array.from({ length: 40 }, () => allocateChunk(16384)).filter(({ buffer }) => lent.has(buffer))
  expect(again.length).toBeLessThanOrEqual(8)
})
