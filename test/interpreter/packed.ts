/** The memory that is packed in the interpreter's binary: native/interpreter/src/image.rs puts it at the end of the file. */
export function unpackedMemory(binary: Buffer): Buffer {
  const [table, entrySize, count] = [
    Number(binary.readBigUInt64LE(32)),
    binary.readUInt16LE(54),
    binary.readUInt16LE(56),
  ]
  const word = (at: number): number => Number(binary.readBigUInt64LE(at))
  for (let entry = table; entry < table + count * entrySize; entry += entrySize) {
    const [offset, address, sizeInFile] = [word(entry + 8), word(entry + 16), word(entry + 32)]
    if (offset + sizeInFile !== binary.length) continue
    // It begins with a page.
    for (let at = offset + ((4096 - (address % 4096)) % 4096); at < binary.length - 16; at += 4096) {
      if (word(at) === binary.length - at - 16) return unpack(binary.subarray(at + 16), word(at + 8))
    }
  }
  throw new Error('nothing is packed at the end of the binary')
}

/** @see LZ4 doc/lz4_Block_format.md */
function unpack(packed: Buffer, size: number): Buffer {
  const memory = Buffer.alloc(size)
  let [from, to] = [0, 0]
  const next = (): number => packed[from++] ?? Number.NaN
  const lengthOf = (short: number): number => {
    let length = short
    if (short === 15) for (let more = 255; more === 255; length += more) more = next()
    return length
  }
  while (from < packed.length) {
    const token = next()
    const literals = lengthOf(token >> 4)
    packed.copy(memory, to, from, from + literals)
    from += literals
    to += literals
    if (from >= packed.length) break
    const distance = next() + 256 * next()
    for (let left = lengthOf(token & 15) + 4; left > 0; left--, to++) memory[to] = memory[to - distance] ?? Number.NaN
  }
  if (to !== size) throw new Error(`${to} of ${size} bytes are packed`)
  return memory
}
