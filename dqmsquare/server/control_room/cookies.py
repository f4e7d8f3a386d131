"""The Control Room's cookies: read tolerantly, set strictly.

CMSWEB shows many applications under one origin, so the cookies' path is the Control Room's, which `__Host-` forbids.
"""

SESSION_COOKIE = "__Secure-dqmcr"
LOGIN_COOKIE = "__Secure-dqmcr-login"  # ties a login form to the browser that it was given to


def read_cookie(header: str, name: str) -> str:
    """A cookie's value; "" where it is not there, or there twice: one of the two was put there by somebody else.

    The front-end puts a bare word before the cookies of some clients, at which a strict parser would give up.

    >>> read_cookie(f"{'0' * 80}; a=1; __Secure-dqmcr=x", "__Secure-dqmcr")
    'x'
    """
    pairs = (part.strip().partition("=") for part in header.split(";"))
    values = [value for key, equals, value in pairs if equals and key == name]
    return values[0] if len(values) == 1 else ""


def set_cookie(name: str, value: str, path: str) -> str:
    """A Set-Cookie header's value; the cookie lasts as long as the browser runs, its session perhaps shorter."""
    return f"{name}={value}; Path={path}; Secure; HttpOnly; SameSite=Strict"


def clear_cookie(name: str, path: str) -> str:
    """A Set-Cookie header's value that takes the cookie away."""
    return f"{name}=; Path={path}; Max-Age=0; Secure; HttpOnly; SameSite=Strict"
