import { A } from "a";

export function f<T extends { a: string }>(b: Array<T>): { c: number } {
  return { c: (<number>b[0].a.length) / 2 };
}

class B {
  private h(c?: string): void {
    g(1);
  }
}
