import { ref, shallowRef } from 'vue';
import { asProblem, type Problem } from '../core/problem';
import { useContext } from './context';

/** Something that a person does: one at a time, with its problem or what is said of its success. */
export function useAction() {
  const { say } = useContext();
  const busy = ref(false);
  const problem = shallowRef<Problem>();

  async function run<T>(what: () => Promise<T>, done?: string | ((result: T) => string)): Promise<T | undefined> {
    if (busy.value) return undefined;
    busy.value = true;
    problem.value = undefined;
    try {
      const result = await what();
      if (done) say(typeof done === 'string' ? done : done(result), 'success');

      return result;
    } catch (error) {
      problem.value = asProblem(error);

      return undefined;
    } finally {
      busy.value = false;
    }
  }

  return { busy, problem, run };
}
