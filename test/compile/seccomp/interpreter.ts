/** The input of a filter: `struct seccomp_data` of linux/seccomp.h, without the instruction pointer. */
export interface SeccompData {
  readonly arch: number
  readonly nr: number
  readonly args: readonly bigint[]
}

export interface Outcome {
  readonly verdict: number
  /** The number of instructions that were executed. */
  readonly steps: number
}

/** Runs a filter as the kernel does; throws on a filter that `seccomp_check_filter` or `bpf_check_classic` refuses. */
export function runFilter(instructions: Uint8Array, data: SeccompData, littleEndian = true): Outcome {
  const filter = new DataView(instructions.buffer, instructions.byteOffset, instructions.byteLength)
  const input = encodeData(data, littleEndian)
  let accumulator = 0
  let at = 0
  for (let steps = 1; ; steps++) {
    if (at * 8 >= instructions.byteLength) throw new Error(`the filter runs off its end at ${at}`)
    const code = filter.getUint16(at * 8, littleEndian)
    const k = filter.getUint32(at * 8 + 4, littleEndian)
    const yes = filter.getUint8(at * 8 + 2)
    const no = filter.getUint8(at * 8 + 3)
    at++
    if (code === 0x06) return { verdict: k, steps }
    if (code === 0x20) {
      if (k % 4 !== 0) throw new Error(`a load from ${k}, which is not aligned`)
      accumulator = input.getUint32(k, littleEndian)
    } else if (code === 0x54) accumulator = (accumulator & k) >>> 0
    else if (code === 0x05) at += k
    else if (code === 0x15) at += accumulator === k ? yes : no
    else if (code === 0x25) at += accumulator > k ? yes : no
    else if (code === 0x35) at += accumulator >= k ? yes : no
    else if (code === 0x45) at += (accumulator & k) !== 0 ? yes : no
    else throw new Error(`code ${code} is none that seccomp takes`)
  }
}

function encodeData({ arch, nr, args }: SeccompData, littleEndian: boolean): DataView {
  const view = new DataView(new ArrayBuffer(64))
  view.setUint32(0, nr, littleEndian)
  view.setUint32(4, arch, littleEndian)
  for (const [index, value] of args.entries()) view.setBigUint64(16 + 8 * index, value, littleEndian)
  return view
}
