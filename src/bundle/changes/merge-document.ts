import { isJsonObject, type JsonObject } from '../../oci/json.ts'

/**
 * Puts changes of a parsed document into the document itself, so that members that the parser does not know, and the order
 * of all, stay as they are.
 *
 * @param document the JSON value
 * @param before what the parser made of it: the same, perhaps without some members
 * @param after `before` with changes
 */
export function mergeDocument(document: unknown, before: unknown, after: unknown): unknown {
  if (before === after || isSame(before, after)) return document
  if (Array.isArray(document) && Array.isArray(before) && Array.isArray(after)) {
    return document.length === before.length ? mergeArray(document, before, after) : after
  }
  if (isJsonObject(document) && isJsonObject(before) && isJsonObject(after)) return mergeObject(document, before, after)
  return after
}

/** An item that has only moved stays as it is; any other one is a change of the item that was in its place. */
function mergeArray(document: readonly unknown[], before: readonly unknown[], after: readonly unknown[]): unknown[] {
  const rest = new Set(before.keys())
  const places = after.map((item) => {
    const place = [...rest].find((index) => isSame(before[index], item))
    if (place !== undefined) rest.delete(place)
    return place
  })
  return after.map((item, index) => {
    const place = places[index]
    if (place !== undefined) return document[place]
    return rest.has(index) ? mergeDocument(document[index], before[index], item) : item
  })
}

/** Names are in any case, as Go's decoder takes them; of a name that is there twice, the last one counts. */
function mergeObject(document: JsonObject, before: JsonObject, after: JsonObject): JsonObject {
  const names = new Map(Object.keys(document).map((name) => [memberOf(name, before) ?? memberOf(name, after), name]))
  const kept = Object.entries(document).flatMap(([name, value]) => {
    const known = memberOf(name, before) ?? memberOf(name, after)
    if (known === undefined || names.get(known) !== name) return [[name, value] as const]
    return Object.hasOwn(after, known) ? [[name, mergeDocument(value, before[known], after[known])] as const] : []
  })
  const added = Object.entries(after).filter(([name]) => !names.has(name) && !isSame(before[name], after[name]))
  return Object.fromEntries([...kept, ...added])
}

function memberOf(name: string, object: JsonObject): string | undefined {
  if (Object.hasOwn(object, name)) return name
  return Object.keys(object).find((known) => known.toLowerCase() === name.toLowerCase())
}

/** True for two JSON values that are equal; members that are undefined are absent. */
export function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((item, index) => isSame(item, other[index]))
  }
  if (!isJsonObject(one) || !isJsonObject(other)) return false
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].every((name) => isSame(one[name], other[name]))
}
