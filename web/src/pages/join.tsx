// Where the link of an invitation leads. Its token is behind the #, so it is in no log of a server or a proxy.
import { useState } from "preact/hooks";
import { join, register } from "../account";
import { Form, Input, NewPassword } from "../parts/form";
import { go, link } from "../route";
import { me } from "../session";
import { Credentials } from "./signin";

export function JoinPage({ invitation }: { invitation: string }) {
  const [known, setKnown] = useState(false); // the person has an account
  const accept = async () => {
    const membership = await join(invitation);
    go(link([], { project: membership.slug }));
  };
  const create = async (text: (name: string) => string) => {
    await register(text("email"), text("new_password"), text("name"), invitation);
    go(link([], { project: me.value?.projects[0]?.slug ?? "" }));
  };
  if (invitation === "") return <main class="signin"><h1>Invitation</h1><p class="note" role="alert">The link is not complete. Copy the whole of it.</p></main>;
  return (
    <main class="signin">
      <h1>You are invited</h1>
      <p class="quiet">to HP Analytics on {location.host}</p>
      {me.value ? (
        <Form label={`Join as ${me.value.email}`} busy="Joining…" send={accept}>{null}</Form>
      ) : (
        <>
          <div class="pills" role="group" aria-label="Account">
            <button type="button" aria-pressed={!known} onClick={() => setKnown(false)}>New account</button>
            <button type="button" aria-pressed={known} onClick={() => setKnown(true)}>I have an account</button>
          </div>
          {known ? <Credentials label="Sign in and join" then={accept} /> : (
            <Form label="Create account" busy="Creating…" send={create}>
              <Input name="name" label="Name" autocomplete="name" optional />
              <Input name="email" label="E-mail address" type="email" autocomplete="username" />
              <NewPassword label="Password" />
            </Form>
          )}
        </>
      )}
    </main>
  );
}
