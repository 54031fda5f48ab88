import { structs } from '../program/contract.ts'
import { encode } from '../program/encode.ts'
import type { Program } from '../program/program.ts'
import { aligned, layOut } from '../program/structs.ts'
import { registerValues } from './call-registers.ts'
import type { RunProgramOptions } from './runner.ts'

/** A compiled call: its program, with all that executing it requires. */
export interface CompiledCall extends Pick<RunProgramOptions, 'id' | 'paths' | 'preserveFds'> {
  readonly program: Program
  /** The directory to execute the program in; undefined means the caller's. */
  readonly cwd: string | undefined
  /**
   * Keeps the program for the next call with the same words, unless a warning was given, or no guard can compare one of
   * the facts that it was compiled from. A failure to keep it is ignored: the next call compiles again.
   */
  keep(): void
}

const { size: headBytes, at } = layOut(structs.handover)

/** The message with a program for the front: the program, with the ID and the directory to execute it in. */
export function handOverMessage({ program, id, paths = {}, cwd = '' }: CompiledCall): Uint8Array {
  const image = encode(program, registerValues(paths))
  const texts = new TextEncoder().encode(`${id}\0${cwd}\0`)
  const start = aligned(headBytes + texts.length, 8)
  const message = new Uint8Array(start + image.length)
  new DataView(message.buffer).setUint32(at.program, start, true)
  message.set(texts, headBytes)
  message.set(image, start)
  return message
}
