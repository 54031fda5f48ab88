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
}

export interface Ways {
  readonly yes: FilterNode
  readonly no: FilterNode
}

export function createNodes(): NodeFactory {
  const nodes = new Map<string, FilterNode>()
  const once = (key: string, make: (id: number) => FilterNode): FilterNode => {
    const known = nodes.get(key)
    if (known) return known
    const node = make(nodes.size)
    nodes.set(key, node)
    return node
  }
  return {
    returns: (verdict) => once(`return ${verdict}`, (id) => ({ kind: 'return', id, verdict })),
    tests(word, is, value, { yes, no }) {
      if (yes === no) return yes
      const key = `${word.offset} ${word.mask} ${is} ${value} ${yes.id} ${no.id}`
      return once(key, (id) => ({ kind: 'test', id, word, is, value, yes, no }))
    },
  }
}
