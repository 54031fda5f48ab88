import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { OciError } from '../errors.ts'

export interface Question {
  readonly prompt: string
  /** True when the answer is not shown. */
  readonly isSecret?: boolean
}

export interface Terminal {
  readonly input: NodeJS.ReadableStream
  readonly output: Pick<NodeJS.WritableStream, 'write'>
  /** Ends the questions; its reason is the error. */
  readonly signal: AbortSignal
}

/**
 * Asks questions on a terminal, each until there is an answer, which may be typed ahead. However it ends, the terminal is
 * then as it was.
 *
 * @returns the answers, none empty
 * @throws OciError `ERR_INTERRUPTED` Ctrl-C; `ERR_USAGE` the input has ended
 */
export function ask(questions: readonly Question[], { input, output, signal }: Terminal): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const answers: string[] = []
    let isShown = true
    const shown = new Writable({
      write(text, _encoding, done) {
        if (isShown) output.write(text)
        done()
      },
    })
    // It takes the terminal out of its line mode, and so shows what is typed, or does not.
    const lines = createInterface({ input, output: shown, terminal: true, historySize: 0 })

    function askNext(): void {
      const question = questions[answers.length]
      if (question === undefined) {
        end(() => resolve(answers))
        return
      }
      isShown = true
      lines.setPrompt(question.prompt)
      lines.prompt()
      isShown = !question.isSecret
    }

    function end(settle: () => void): void {
      signal.removeEventListener('abort', abort)
      lines.removeAllListeners()
      lines.close()
      settle()
    }

    function fail(error: unknown): void {
      output.write('\n')
      end(() => reject(error))
    }

    const abort = (): void => fail(signal.reason)

    lines.on('line', (line) => {
      if (!isShown) output.write('\n')
      if (line !== '') answers.push(line)
      askNext()
    })
    lines.on('SIGINT', () => fail(new OciError('ERR_INTERRUPTED', 'stopped by SIGINT')))
    lines.on('close', () => fail(new OciError('ERR_USAGE', 'the input has ended before the answer')))
    signal.addEventListener('abort', abort)
    askNext()
  })
}
