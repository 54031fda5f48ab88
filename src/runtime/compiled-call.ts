import { structs } from '../program/contract.ts'
import { encode } from '../program/encode.ts'
import type { Program } from '../program/program.ts'
import { aligned, layOut } from '../program/structs.ts'
import { registerValues } from './call-registers.ts'
import type { RunProgramOptions } from './runner.ts'

/** A call turned into a program, with all that whoever executes it must know. */
export interface CompiledCall extends Pick<RunProgramOptions, 'id' | 'paths' | 'preserveFds'> {
  readonly program: Program
  /** The directory to execute it in; undefined: the caller's. */
  readonly cwd: string | undefined
  /**
   * Keeps the program for the next call in the same words, unless there was something to warn of, or something was compiled
   * from that no guard can compare. A program that cannot be kept is no failure: it is compiled again.
   */
  keep(): void
}

const { size: headBytes, at } = layOut(structs.handover)

/** The message that the front takes: the program with the ID and the directory to execute it in. */
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
