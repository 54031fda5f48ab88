import { closeSync, readSync } from 'node:fs'
import type { TreeReader } from './tree-reader.ts'

const compareBytes = 256 * 1024

/** True when a regular file has the same bytes in both trees. */
export function isSameData(a: TreeReader, b: TreeReader, path: string): boolean {
  const descriptors = [a.open(path), b.open(path)] as const
  const [one, other] = [Buffer.allocUnsafe(compareBytes), Buffer.allocUnsafe(compareBytes)]
  try {
    for (;;) {
      const length = readFully(descriptors[0], one)
      if (readFully(descriptors[1], other) !== length) return false
      if (one.compare(other, 0, length, 0, length) !== 0) return false
      if (length < compareBytes) return true
    }
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor)
  }
}

/** Fills `buffer`, as far as the file goes. @returns the number of bytes read */
function readFully(descriptor: number, buffer: Buffer): number {
  let length = 0
  while (length < buffer.length) {
    const read = readSync(descriptor, buffer, length, buffer.length - length, null)
    if (read === 0) break
    length += read
  }
  return length
}
