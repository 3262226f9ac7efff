<?php
// A sabre/dav server over one SQLite file, for the web server that PHP brings along. MUSTER_SABRE_DATABASE names it.
error_reporting(E_ALL & ~E_DEPRECATED);
require 'Sabre/autoload.php';

/** Passwords of the table `users`, in clear: they are made up for one run. */
class Accounts extends Sabre\DAV\Auth\Backend\AbstractBasic
{
    public function __construct(private PDO $database) {}

    protected function validateUserPass($user, $password)
    {
        $found = $this->database->prepare('SELECT 1 FROM users WHERE username = ? AND password = ?');
        $found->execute([$user, $password]);
        return $found->fetchColumn() !== false;
    }
}

$database = new PDO('sqlite:' . getenv('MUSTER_SABRE_DATABASE'));
$database->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
$principals = new Sabre\DAVACL\PrincipalBackend\PDO($database);
$calendars = new Sabre\CalDAV\Backend\PDO($database);
$server = new Sabre\DAV\Server([
    new Sabre\CalDAV\Principal\Collection($principals),
    new Sabre\CalDAV\CalendarRootNode($principals, $calendars),
]);
$server->setBaseUri('/');
$server->addPlugin(new Sabre\DAV\Auth\Plugin(new Accounts($database), 'calendars'));
$server->addPlugin(new Sabre\DAVACL\Plugin());
$server->addPlugin(new Sabre\CalDAV\Plugin());
$server->exec();
