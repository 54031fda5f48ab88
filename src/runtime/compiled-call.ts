import { maxRegisterBytes, structs } from '../program/contract.ts'
import { encode } from '../program/encode.ts'
import type { Program } from '../program/program.ts'
import { aligned, layOut } from '../program/structs.ts'
import { bytesOf } from '../text.ts'
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
  const values = registerValues(paths)
  // One that is too long for a register is written into the program.
  const isShort = Object.values(values).every((value) => bytesOf(value).length < maxRegisterBytes)
  const image = encode(program, isShort ? {} : values)
  const { pid_file: pidFile = '', console_socket: consoleSocket = '' } = isShort ? values : {}
  const texts = bytesOf(`${[id, cwd, pidFile, consoleSocket].join('\0')}\0`)
  const start = aligned(headBytes + texts.length, 8)
  const message = new Uint8Array(start + image.length)
  new DataView(message.buffer).setUint32(at.program, start, true)
  message.set(texts, headBytes)
  message.set(image, start)
  return message
}
