import { onScopeDispose, provide, ref, shallowRef, type Ref, type ShallowRef } from 'vue';
import type { DataSource } from '../data/source';
import type { About } from '../data/types';
import { contextKey, type Navigation } from './context';

/** Something that was said, as long as it is shown. */
export interface Toast {
  id: number;
  text: string;
  tone: 'success' | 'error' | 'info';
}

/** Gives everything below the component that calls it what all views share. */
export function provideContext(source: DataSource, navigation: Navigation): { about: ShallowRef<About | undefined>; toasts: Ref<Toast[]> } {
  const about = shallowRef<About>();
  const now = ref(Date.now());
  const clock = setInterval(() => (now.value = Date.now()), 1000);
  onScopeDispose(() => clearInterval(clock));

  const toasts = ref<Toast[]>([]);
  let last = 0;
  function say(text: string, tone: Toast['tone'] = 'info'): void {
    const id = ++last;
    toasts.value = [...toasts.value.slice(-2), { id, text, tone }];
    setTimeout(() => (toasts.value = toasts.value.filter((toast) => toast.id !== id)), tone === 'error' ? 10_000 : 5000);
  }
  provide(contextKey, { source, navigation, about, now, say });

  return { about, toasts };
}
