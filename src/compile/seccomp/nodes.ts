/** A filter as an acyclic graph: each test compares one word of `struct seccomp_data` and leads to one of two nodes. */
export type FilterNode = ReturnNode | TestNode

export interface ReturnNode {
  readonly kind: 'return'
  readonly id: number
  /** `SECCOMP_RET_*` with its data (linux/seccomp.h). */
  readonly verdict: number
}

export interface TestNode {
  readonly kind: 'test'
  readonly id: number
  readonly word: Word
  /** `gt` and `ge` compare unsigned numbers. */
  readonly is: 'eq' | 'gt' | 'ge'
  readonly value: number
  readonly yes: FilterNode
  readonly no: FilterNode
}

/** The 32 bits of `struct seccomp_data` at an offset, combined with a mask by AND. */
export interface Word {
  readonly offset: number
  readonly mask: number
  /** Both, as a part of keys. */
  readonly key: string
}

export function wordOf(offset: number, mask: number): Word {
  return { offset, mask, key: `${offset} ${mask}` }
}

export const allBits: number = 0xffffffff
/** `seccomp_data.nr` and `seccomp_data.arch`. */
export const numberWord: Word = wordOf(0, allBits)
export const archWord: Word = wordOf(4, allBits)

/** Makes the nodes of one graph. Equal nodes are the same object, so that equal parts of a filter are compiled once. */
export interface NodeFactory {
  readonly returns: (verdict: number) => FilterNode
  readonly tests: (word: Word, is: TestNode['is'], value: number, ways: Ways) => FilterNode
  /** Simplifies a node for the case that a word is known to have, or not to have, a value. */
  readonly given: (node: FilterNode, fact: Fact) => FilterNode
}

export interface Fact {
  readonly word: Word
  readonly value: number
  readonly holds: boolean
}

export interface Ways {
  readonly yes: FilterNode
  readonly no: FilterNode
}

/** Limits beyond which a graph is not simplified: a filter of that size is refused anyway, which must not take long. */
const maxSimplified = { steps: 50_000, depth: 1000 } as const

/** Makes a factory for one filter. */
export function createNodes(): NodeFactory {
  const nodes = new Map<string, FilterNode>()
  const simplified = new Map<string, FilterNode>()
  let steps = 0
  const once = (key: string, make: (id: number) => FilterNode): FilterNode => {
    const known = nodes.get(key)
    if (known) return known
    const node = make(nodes.size)
    nodes.set(key, node)
    return node
  }
  const tests: NodeFactory['tests'] = (word, is, value, { yes, no }) => {
    if (yes === no) return yes
    const key = `${value} ${yes.id} ${no.id} ${is} ${word.key}`
    return once(key, (id) => ({ kind: 'test', id, word, is, value, yes, no }))
  }
  const given = (node: FilterNode, fact: Fact, depth: number): FilterNode => {
    if (node.kind === 'return' || ++steps > maxSimplified.steps || depth > maxSimplified.depth) return node
    const suffix = `${fact.value} ${fact.holds} ${fact.word.key}`
    const known = simplified.get(`${node.id} ${suffix}`)
    if (known) return known
    const way = wayOf(node, fact)
    const next = (to: FilterNode) => given(to, fact, depth + 1)
    const rest = way
      ? next(node[way])
      : tests(node.word, node.is, node.value, { yes: next(node.yes), no: next(node.no) })
    simplified.set(`${node.id} ${suffix}`, rest)
    simplified.set(`${rest.id} ${suffix}`, rest)
    return rest
  }
  return {
    returns: (verdict) => once(`return ${verdict}`, (id) => ({ kind: 'return', id, verdict })),
    tests,
    given: (node, fact) => given(node, fact, 0),
  }
}

/** The result of a test if a fact decides it, else undefined. */
function wayOf({ word, is, value }: TestNode, fact: Fact): keyof Ways | undefined {
  if (word.offset !== fact.word.offset) return undefined
  if (!fact.holds) return word.mask === fact.word.mask && is === 'eq' && value === fact.value ? 'no' : undefined
  if (word.mask !== fact.word.mask && fact.word.mask !== allBits) return undefined
  const known = (fact.value & word.mask) >>> 0
  const isTrue = is === 'eq' ? known === value : is === 'gt' ? known > value : known >= value
  return isTrue ? 'yes' : 'no'
}
