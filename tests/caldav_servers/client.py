"""A CalDAV client that does no more than seeding a server needs."""

import base64
import http.client
import xml.etree.ElementTree as ElementTree

NAMESPACES = (
    'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/"'
)


class Client:
    """One user's connection."""

    def __init__(self, port, user, password):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def send(self, method, path, body="", kind="application/xml; charset=utf-8", **headers):
        """Sends a request; fails unless the server did it."""
        headers = {"Authorization": self.authorization, "Content-Type": kind, **headers}
        self.connection.request(method, path, body.encode(), headers)
        response = self.connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        if response.status >= 300 or (response.status == 207 and "HTTP/1.1 403" in text):
            raise RuntimeError(f"{method} {path}: {response.status} {text}")
        return text

    def put(self, collection, resources):
        """Stores resources in a collection."""
        for name, text in resources:
            self.send("PUT", collection + name, text, "text/calendar; charset=utf-8")

    def set(self, path, properties):
        """Sets properties, given as XML with the prefixes D, C and CS."""
        update = f"<D:propertyupdate {NAMESPACES}><D:set><D:prop>{properties}</D:prop></D:set></D:propertyupdate>"
        self.send("PROPPATCH", path, update)

    def make_calendar(self, path, name):
        """Makes a calendar collection."""
        prop = f"<D:set><D:prop><D:displayname>{name}</D:displayname></D:prop></D:set>"
        self.send("MKCALENDAR", path, f"<C:mkcalendar {NAMESPACES}>{prop}</C:mkcalendar>")

    def members(self, collection):
        """The addresses and tags of what a collection holds."""
        asked = "<D:propfind xmlns:D='DAV:'><D:prop><D:getetag/></D:prop></D:propfind>"
        root = ElementTree.fromstring(self.send("PROPFIND", collection, asked, Depth="1"))
        found = ((one.findtext("{DAV:}href"), one.findtext(".//{DAV:}getetag")) for one in root)
        return {href: tag for href, tag in found if href and href.endswith(".ics")}
