/** A filter as a graph without cycles: each test looks at one word of `struct seccomp_data` and goes one of two ways. */
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
  /** `gt` and `ge` compare without sign. */
  readonly is: 'eq' | 'gt' | 'ge'
  readonly value: number
  readonly yes: FilterNode
  readonly no: FilterNode
}

/** 32 bits of `struct seccomp_data` at an offset, of which the mask leaves some. */
export interface Word {
  readonly offset: number
  readonly mask: number
}

export const allBits: number = 0xffffffff
/** `seccomp_data.nr` and `seccomp_data.arch`. */
export const numberWord: Word = { offset: 0, mask: allBits }
export const archWord: Word = { offset: 4, mask: allBits }

/** Makes nodes of one graph. Equal nodes are one and the same, so that equal parts of a filter are compiled once. */
export interface NodeFactory {
  readonly returns: (verdict: number) => FilterNode
  readonly tests: (word: Word, is: TestNode['is'], value: number, ways: Ways) => FilterNode
  /** What is left of a node where a word is known to have a value, or not to have it. */
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

/** Beyond these a graph is left as it is: a filter of that size is refused anyway, and must not take long to refuse. */
const maxSimplified = { steps: 50_000, depth: 1000 } as const

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
    const key = `${word.offset} ${word.mask} ${is} ${value} ${yes.id} ${no.id}`
    return once(key, (id) => ({ kind: 'test', id, word, is, value, yes, no }))
  }
  const given = (node: FilterNode, fact: Fact, depth: number): FilterNode => {
    if (node.kind === 'return' || ++steps > maxSimplified.steps || depth > maxSimplified.depth) return node
    const suffix = `${fact.word.offset} ${fact.word.mask} ${fact.value} ${fact.holds}`
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

/** The way that a test goes, if a fact decides it. */
function wayOf({ word, is, value }: TestNode, fact: Fact): keyof Ways | undefined {
  if (word.offset !== fact.word.offset) return undefined
  if (!fact.holds) return word.mask === fact.word.mask && is === 'eq' && value === fact.value ? 'no' : undefined
  if (word.mask !== fact.word.mask && fact.word.mask !== allBits) return undefined
  const known = (fact.value & word.mask) >>> 0
  const isTrue = is === 'eq' ? known === value : is === 'gt' ? known > value : known >= value
  return isTrue ? 'yes' : 'no'
}
