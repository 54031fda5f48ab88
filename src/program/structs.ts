/** Structures that C and TypeScript share: consecutive numbers and bytes, each aligned to its own size. */

export type FieldType = 'char' | 'u8' | 'u16' | 'u32' | 'i32' | 'u64' | 'i64'

/** A field: its type, its count, and the text of its comment. */
export type Field = readonly [type: FieldType, count?: number, comment?: string]

export interface Struct {
  readonly does: string
  readonly fields: Readonly<Record<string, Field>>
}

const sizes: Readonly<Record<FieldType, number>> = { char: 1, u8: 1, u16: 2, u32: 4, i32: 4, u64: 8, i64: 8 }

export interface StructLayout<Name extends string> {
  /** The size in bytes. */
  readonly size: number
  /** The offset of each field. */
  readonly at: Readonly<Record<Name, number>>
}

/** Computes the offsets of a structure's fields as a C compiler lays them out. */
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

/** The first multiple of `size` that is not below `offset`. */
export const aligned = (offset: number, size: number): number => Math.ceil(offset / size) * size
