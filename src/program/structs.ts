/** Structures that are the same in C and here: numbers and bytes one after the other, each aligned to its own size. */

export type FieldType = 'char' | 'u8' | 'u16' | 'u32' | 'i32' | 'u64'

/** A field: the type, how many of them, and what a comment says. */
export type Field = readonly [type: FieldType, count?: number, comment?: string]

export interface Struct {
  readonly does: string
  readonly fields: Readonly<Record<string, Field>>
}

const sizes: Readonly<Record<FieldType, number>> = { char: 1, u8: 1, u16: 2, u32: 4, i32: 4, u64: 8 }

export interface StructLayout<Name extends string> {
  /** Bytes. */
  readonly size: number
  /** The offset of each field. */
  readonly at: Readonly<Record<Name, number>>
}

/** Where the fields of a structure are, as a C compiler lays them out. */
export function layOut<S extends Struct>({ fields }: S): StructLayout<Extract<keyof S['fields'], string>> {
  const at: Record<string, number> = {}
  let end = 0
  let widest = 1
  for (const [name, [type, count = 1]] of Object.entries(fields)) {
    const size = sizes[type]
    widest = Math.max(widest, size)
    at[name] = aligned(end, size)
    end = aligned(end, size) + size * count
  }
  return { size: aligned(end, widest), at: at as Record<Extract<keyof S['fields'], string>, number> }
}

/** The first multiple of `size` from `offset` on. */
export const aligned = (offset: number, size: number): number => Math.ceil(offset / size) * size
