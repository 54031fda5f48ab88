/** The shape of a JSON value: its type, and what it is, with its unit. docs/json.md is generated from these. */
export type Shape = (
  | { readonly type: 'string' | 'number' | 'boolean' | 'any' }
  | { readonly type: 'array'; readonly items: Shape }
  | { readonly type: 'object'; readonly members: Readonly<Record<string, Shape>> }
  /** An object whose members have names of their own, all with values of one shape. */
  | { readonly type: 'map'; readonly values: Shape }
) & {
  readonly says: string
  /** True when the member may be left out. */
  readonly isOptional?: boolean
  /** True when the value may be `null`. */
  readonly isNullable?: boolean
}

/** The JSON documents of a command. */
export interface CommandShape {
  readonly shape: Shape
  /** How many documents there are, where there is more than one line. */
  readonly note?: string
  readonly example: { readonly command: string; readonly document: unknown }
}

export const text = (says: string): Shape => ({ type: 'string', says })
export const number = (says: string): Shape => ({ type: 'number', says })
export const truth = (says: string): Shape => ({ type: 'boolean', says })
/** A value that a specification describes, or a table that is too long to repeat. */
export const any = (says: string): Shape => ({ type: 'any', says })
export const array = (says: string, items: Shape): Shape => ({ type: 'array', says, items })
export const map = (says: string, values: Shape): Shape => ({ type: 'map', says, values })

/** An object of the type `T`: the compiler sees to it that each of its members has a shape. */
export const object = <T extends object>(says: string, members: { readonly [K in keyof T]-?: Shape }): Shape => ({
  type: 'object',
  says,
  members,
})

export const optional = (shape: Shape): Shape => ({ ...shape, isOptional: true })
export const nullable = (shape: Shape): Shape => ({ ...shape, isNullable: true })

/** All that a value has in another way than its shape says, each with where it is; nothing when it fits. */
export function differences(value: unknown, shape: Shape, at = ''): readonly string[] {
  if (value === null) return shape.isNullable || shape.type === 'any' ? [] : [`${at || '/'} is null`]
  if (shape.type === 'any') return []
  const found = Array.isArray(value) ? 'array' : typeof value
  if (found !== (shape.type === 'map' ? 'object' : shape.type)) return [`${at || '/'} is ${found}, not ${shape.type}`]
  if (Array.isArray(value)) {
    const items = shape.type === 'array' ? shape.items : undefined
    return items === undefined ? [] : value.flatMap((item, index) => differences(item, items, `${at}/${index}`))
  }
  if (typeof value !== 'object') return []
  const entries = Object.entries(value as object)
  if (shape.type === 'map') return entries.flatMap(([key, one]) => differences(one, shape.values, `${at}/${key}`))
  if (shape.type !== 'object') return []
  const { members } = shape
  const missing = Object.keys(members).filter(
    (key) => !members[key]?.isOptional && !Object.hasOwn(value as object, key),
  )
  return [
    ...missing.map((key) => `${at}/${key} is missing`),
    ...entries.flatMap(([key, one]) => {
      const member = members[key]
      return member === undefined ? [`${at}/${key} is not declared`] : differences(one, member, `${at}/${key}`)
    }),
  ]
}
