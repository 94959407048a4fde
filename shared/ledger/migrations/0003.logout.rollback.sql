DROP TABLE admin_logout;
