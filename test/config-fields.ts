import * as z from 'zod/mini'

/** The pointers of all fields of a schema that hold values; `*` stands for the items of lists and the members of maps. */
export function fieldsOf(schema: unknown, at = ''): readonly string[] {
  if (schema instanceof z.ZodMiniOptional || schema instanceof z.ZodMiniDefault)
    return fieldsOf(schema.def.innerType, at)
  if (schema instanceof z.ZodMiniLazy) return fieldsOf(schema.def.getter(), at)
  if (schema instanceof z.ZodMiniArray) return fieldsOf(schema.def.element, `${at}/*`)
  if (schema instanceof z.ZodMiniRecord) return fieldsOf(schema.def.valueType, `${at}/*`)
  if (!(schema instanceof z.ZodMiniObject)) return [at]
  return Object.entries(schema.def.shape).flatMap(([name, member]) => fieldsOf(member, `${at}/${name}`))
}
