import type { Schema } from '../src/oci/schema.ts'

/** The pointers of all fields of a schema that hold values; `*` stands for the items of lists and the members of maps. */
export function fieldsOf({ form }: Schema<unknown>, at = ''): readonly string[] {
  switch (form.kind) {
    case 'simple':
      return [at]
    case 'refined':
    case 'optional':
    case 'default':
      return fieldsOf(form.inner, at)
    case 'lazy':
      return fieldsOf(form.inner(), at)
    case 'array':
    case 'record':
      return fieldsOf(form.item, `${at}/*`)
    case 'object':
      return Object.entries(form.members).flatMap(([name, member]) => fieldsOf(member, `${at}/${name}`))
  }
}
